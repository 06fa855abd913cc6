"""Explaining: what in an input a prediction rests on, and which training items it is most like.

A head reads a few pooled layers, and is a chain of steps that can be differentiated. So where a layer still has places
(pixels, tokens, frames), what each place adds to the head's decision is exact to first order, under any backbone that
gives the layer; further down it is carried by the network's own gradients, where it is a torch network. What cannot be
differentiated (nearest neighbours, a graph's last vector, an API) is explained by occlusion: hide a part, ask again.
"""

from icecore.explaining.attribution import Attribution, Grid, Words
from icecore.explaining.explainer import Explainer
from icecore.explaining.neighbours import Neighbour, Remembered

__all__ = ["Attribution", "Explainer", "Grid", "Neighbour", "Remembered", "Words"]
