"""Recurrent layers: one scan over time (`scan.py`), cells that take one step, layers around them.

`cells.py` holds the cells, `rnn.py` the layer that runs any cell, `gated.py` the layers that bring
their own (SimpleRNN, LSTM, GRU), `conv_lstm.py` their convolutional kin.
"""
