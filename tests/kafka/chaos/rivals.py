class Rival: pass
def all_rivals(context): return []
