"""A multilayer perceptron in PyTorch: modules, autograd and the fused SGD."""

import torch
from torch import nn

from work import CLASSES, MOMENTUM, main, widths


def prepare(work, data, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, y, test_x, test_y = (torch.from_numpy(array) for array in data)
    activation = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[work.activation]
    layers = []
    for inputs, outputs in zip(widths(work), work.hidden):
        layers += [nn.Linear(inputs, outputs), activation()]
    net = nn.Sequential(*layers, nn.Linear(work.hidden[-1], CLASSES))
    optimizer = torch.optim.SGD(net.parameters(), work.learning_rate, momentum=MOMENTUM, fused=True)
    loss = nn.CrossEntropyLoss()

    def epoch():
        for batch in torch.randperm(len(x)).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss(net(x[batch]), y[batch]).backward()
            optimizer.step()

    def accuracy():
        with torch.no_grad():
            return (net(test_x).argmax(dim=1) == test_y).float().mean()

    return epoch, accuracy


main(torch.__version__, prepare)
