"""Drawing pads: a widget for notebooks, a window, and the network behind the window."""
