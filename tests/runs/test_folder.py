"""What a run's folder says is read as it was written."""

from lumbar.runs.folder import read_split


def test_a_patient_may_have_a_name_that_pandas_takes_for_a_missing_value(tmp_path):
    (tmp_path / "split.csv").write_text("patient,source,part,picture\nNA,,train,\nnan,B,test,f00d\n")
    assert read_split(tmp_path).to_numpy().tolist() == [["NA", "", "train", ""], ["nan", "B", "test", "f00d"]]
