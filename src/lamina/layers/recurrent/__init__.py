"""Recurrent layers.

`scan.py` has the loop over time, `cells.py` the cells, which compute one step, `rnn.py` the layer
that runs any cell, `gated.py` the layers with a given cell (SimpleRNN, LSTM, GRU), `conv_lstm.py`
the convolutional LSTMs.
"""
