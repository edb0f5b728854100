"""Parallel work: processes of this machine, a Dask cluster, and several devices for one training."""
