import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # models here are tiny: more threads only wait for each other
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test asks the network
