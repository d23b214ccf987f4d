"""The colours of figures, drawing pads and pages.

They are those of M. Okabe and K. Ito ("Color universal design", 2008), told apart by colour-blind
readers. Colour never stands alone: lines also differ in dash and mark, right and wrong in mark and
frame.
"""

BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
WINNER, OTHERS = BLUE, SKY  # the bar of the digit that is read, and the nine others
GROUND, PAPER, RAIL, LINE = "#f5f5f2", "#ffffff", "#e4e4df", "#b9b9b2"  # of windows and pages
INK, TEXT, MUTED, FAULT = "#16213a", "#1c1c1c", "#5c5c58", "#a33b00"

# For the style sheet of the drawing pad, in notebooks and on pages.
PAD = f""".mnist-pad {{
  --winner: {WINNER}; --others: {OTHERS}; --focus: {ORANGE};
  --plain-text: {TEXT}; --plain-paper: {PAPER};
}}
"""
