// What the Python package states, so that nothing is stated twice: see `building.facts`, which writes it into the page.

export const facts = JSON.parse(document.getElementById("facts").textContent);

/** Return what a file of the page holds, which was packed by gzip and written as base64. */
export async function unpacked(name) {
  const letters = atob(document.getElementById(name).textContent);
  const packed = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) packed[place] = letters.charCodeAt(place);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
