//! The order of linear layers: by the numbers in their names, and by the widths, each of which must be that of the layer
//! before.

use super::modules::Linear;
use super::supplied::WeightShape;

/// The most layers whose order is searched for; more are accepted if one series of numbers orders them.
const MOST_SEARCHED: usize = 200;
/// The most steps of a search.
const MOST_STEPS: usize = 100_000;
/// The most orders that are found: two for a message.
const MOST_FOUND: usize = 2;

/// The orders that fit: indices of layers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Orders {
    /// None does: what is wrong with the tensor of this name, as found and expected.
    None(String, String, String),
    One(Vec<usize>),
    /// Several do, two of which are these.
    Several(Vec<usize>, Vec<usize>),
    /// There are too many layers to try all orders.
    TooMany,
}

/// The inputs and outputs of a layer.
pub(super) fn widths(linear: &Linear, shape: WeightShape) -> (usize, usize) {
    let [first, second] = linear.shape;
    match shape {
        WeightShape::OutIn => (second, first),
        WeightShape::InOut => (first, second),
    }
}

/// Returns the orders of `linears` in which each layer has the outputs of the one before as inputs. Layers of a series stay
/// in the order of their numbers.
pub(super) fn orders(linears: &[Linear], shape: WeightShape) -> Orders {
    for linear in linears {
        let (_, outputs) = widths(linear, shape);
        if let Some(bias) = &linear.bias
            && *bias.tensor.shape() != [outputs]
        {
            let expected = format!("[{outputs}], a number for each output");
            return Orders::None(bias.name.clone(), bias.words(), expected);
        }
    }
    let numbers = |linear: &Linear| (linear.stem.series.clone(), linear.stem.numbers.clone());
    if let Some(pair) = linears
        .windows(2)
        .find(|pair| numbers(&pair[0]) == numbers(&pair[1]))
    {
        let [first, second] = [&pair[0].weight.name, &pair[1].weight.name];
        let found = format!("the number of {first} again");
        let expected = "a number for each layer".to_owned();
        return Orders::None(second.clone(), found, expected);
    }
    let mut series: Vec<Vec<usize>> = Vec::new();
    for (index, linear) in linears.iter().enumerate() {
        // They are sorted, so that a series is in one piece.
        match series.last_mut() {
            Some(last) if linears[last[0]].stem.series == linear.stem.series => last.push(index),
            _ => series.push(vec![index]),
        }
    }
    match &series[..] {
        [only] => follow(linears, shape, only),
        _ if linears.len() > MOST_SEARCHED => Orders::TooMany,
        _ => search(linears, shape, &series),
    }
}

/// Checks that `order` fits.
pub(super) fn follow(linears: &[Linear], shape: WeightShape, order: &[usize]) -> Orders {
    for pair in order.windows(2) {
        let (_, before) = widths(&linears[pair[0]], shape);
        let next = &linears[pair[1]];
        let (inputs, _) = widths(next, shape);
        if before != inputs {
            let (found, name) = (format!("{inputs} inputs"), next.weight.name.clone());
            let expected = format!("{before}, the outputs of the layer before");
            return Orders::None(name, found, expected);
        }
    }
    Orders::One(order.to_vec())
}

fn search(linears: &[Linear], shape: WeightShape, series: &[Vec<usize>]) -> Orders {
    let mut search = Search {
        linears,
        shape,
        series,
        next: vec![0; series.len()],
        order: Vec::new(),
        found: Vec::new(),
        steps: 0,
    };
    search.extend();
    let mut found = search.found.into_iter();
    match (found.next(), found.next()) {
        _ if search.steps > MOST_STEPS => Orders::TooMany,
        (Some(one), Some(other)) => Orders::Several(one, other),
        (Some(one), None) => Orders::One(one),
        (None, _) => {
            let found = "layers whose widths make no chain, in any order".to_owned();
            let expected = "each with the outputs of another one as inputs".to_owned();
            Orders::None("weights".to_owned(), found, expected)
        }
    }
}

/// A search through all orders.
struct Search<'a> {
    linears: &'a [Linear<'a>],
    shape: WeightShape,
    series: &'a [Vec<usize>],
    /// How many layers of each series are in `order`.
    next: Vec<usize>,
    order: Vec<usize>,
    found: Vec<Vec<usize>>,
    steps: usize,
}

impl Search<'_> {
    fn extend(&mut self) {
        self.steps += 1;
        if self.order.len() == self.linears.len() {
            self.found.push(self.order.clone());
            return;
        }
        let width = self.order.last();
        let width = width.map(|&last| widths(&self.linears[last], self.shape).1);
        for of in 0..self.series.len() {
            let Some(&layer) = self.series[of].get(self.next[of]) else {
                continue;
            };
            let (inputs, _) = widths(&self.linears[layer], self.shape);
            if width.is_some_and(|width| width != inputs) {
                continue;
            }
            if self.steps > MOST_STEPS || self.found.len() >= MOST_FOUND {
                return;
            }
            self.next[of] += 1;
            self.order.push(layer);
            self.extend();
            self.order.pop();
            self.next[of] -= 1;
        }
    }
}
