"""The money: observe, judge, place, account. Pure but for the ports it is handed; knows no process, file or
key."""
