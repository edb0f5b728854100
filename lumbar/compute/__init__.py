"""Where work is done: the processes of this machine, a Dask cluster, and the devices that share a training."""
