"""Where what is: the entries of the vectors that compiled training works with."""

# position (int64)
EPOCH, STEP, UPDATES, BEST_EPOCH, STALE, STOP, BROKEN, POSITIONS = range(8)
# sums (float64)
LOSS, SCORE, BEST, TALLY = range(4)  # the tally of core.measures follows
# what position[STOP] says
RUNNING, EPOCHS_DONE, STOPPED_EARLY, DIVERGED, TARGET_REACHED = range(5)
# rules (int64): addresses, counts, and the index in a point of what is monitored
LOSS_AT, OPTIMIZER_AT, SCHEDULE_AT, BATCH, EPOCHS, PATIENCE = range(6)
START_EPOCH, MONITOR, LOWEST, SAMPLES, SEARCHES, LEARNED, PARTS, ROW_PARTS, UPDATE_PARTS, RULES = (
    range(6, 16)
)
# settings (float64)
RATE, WARMUP, L1, L2, DECAY, CLIP_VALUE, CLIP_LAYER, CLIP = range(8)
MAX_NORM, AVERAGE, MIN_DELTA, SIGN, TARGET, INPUT_DROPOUT, SETTINGS = range(8, 15)
