//! The layers of a file in their order, with the batch normalisation around each.

use super::chain::{Orders, follow, orders, widths};
use super::modules::{Linear, Modules, Named, Norm};
use super::names::{Role, Stem};
use super::numbers::Converted;
use super::placement::{Chain, Spot, Unplaced};
use super::supplied::{NormPlace, Supplied, WeightShape};
use super::weights::{Around, EPSILON_OF_KERAS, EPSILON_OF_PYTORCH, Source};
use crate::error::{Error, Refusal, Result};
use crate::message::{Key, Message, message};
use crate::nn::Spec;
use crate::tensors::TensorFile;

/// The most names that a message lists.
const MOST_NAMES: usize = 12;

/// The layers of a file in their order.
pub(super) struct Network<'a, 'b> {
    file: &'a TensorFile<'b>,
    linears: Vec<Linear<'b>>,
    norms: Vec<Norm<'b>>,
    shape: WeightShape,
    /// For each linear layer.
    around: Vec<Around>,
    /// Whether the network has batch normalisation instead of having it folded.
    pub keeps_norms: bool,
    notes: Vec<Message>,
}

impl<'a, 'b> Network<'a, 'b> {
    /// Finds the order of the layers in `file`.
    ///
    /// # Errors
    /// Returns [`Error::Model`] if it is not a chain of linear layers and batch normalisation, or if several orders fit.
    pub(super) fn of(file: &'a TensorFile<'b>, supplied: &Supplied) -> Result<Network<'a, 'b>> {
        let layers = supplied.layers.as_deref();
        let Modules {
            linears,
            norms,
            left_out,
            norms_left_out,
        } = Modules::of(file, layers)?;
        if linears.is_empty() {
            return Err(file.refuse("no linear layer", "at least one, with weights [out, in]"));
        }
        check_left_out(file, &linears, &norms_left_out)?;
        let mut notes = Vec::new();
        if !left_out.is_empty() {
            notes.push(message![format!("left out: {}", listed(left_out.iter()))]);
        }
        let (shape, order) = order(file, (&linears, &norms), supplied, &mut notes)?;
        let mut linears: Vec<Option<Linear>> = linears.into_iter().map(Some).collect();
        let linears = order.into_iter().filter_map(|index| linears[index].take());
        let mut network = Network {
            file,
            linears: linears.collect(),
            norms,
            shape,
            around: Vec::new(),
            keeps_norms: false,
            notes,
        };
        network.place(supplied)?;
        network.note_missing();
        Ok(network)
    }

    /// The widths from inputs to outputs.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let widths = self.linears.iter().map(|linear| widths(linear, self.shape));
        let outputs = widths.clone().map(|(_, outputs)| outputs);
        let inputs = widths.take(1).map(|(inputs, _)| inputs);
        inputs.chain(outputs).collect()
    }

    /// Returns the parameters of `spec`, the network of these layers, and everything that was converted, guessed, added or
    /// left out.
    ///
    /// # Errors
    /// Returns [`Error::Model`] if a number is not finite, or cannot be in 32 bits.
    pub(super) fn parameters(
        mut self,
        spec: &Spec,
        supplied: &Supplied,
    ) -> Result<(Vec<f32>, Vec<Message>)> {
        let mut converted = Converted::default();
        let source = Source {
            file: self.file,
            linears: &self.linears,
            shape: self.shape,
            norms: &self.norms,
            epsilon: supplied.batch_norm_epsilon,
            around: &self.around,
        };
        let parameters = source.parameters(spec, &mut converted)?;
        if !converted.types.is_empty() {
            let (values, types) = (converted.values, converted.types.join(" and "));
            let rounded = match converted.rounded {
                0 => "none of them rounded".to_owned(),
                rounded => format!("{rounded} of them rounded"),
            };
            self.notes.push(message![format!(
                "{values} numbers of {types} converted to F32, {rounded}"
            )]);
        }
        Ok((parameters, self.notes))
    }

    /// Finds the place of each batch normalisation, and whether they are kept.
    fn place(&mut self, supplied: &Supplied) -> Result<()> {
        self.around = self.linears.iter().map(|_| Around::default()).collect();
        if self.norms.is_empty() {
            return Ok(());
        }
        let chain = Chain {
            linears: &self.linears,
            shape: self.shape,
            side: supplied.batch_norm,
        };
        let spots = match &supplied.layers {
            None => chain.spots(&self.norms),
            Some(layers) => {
                let place = |name: &str| layers.iter().position(|layer| layer == name);
                self.norms.sort_by_key(|norm| place(&norm.stem.name));
                let gaps = self.norms.iter().map(|norm| {
                    let is_before =
                        |linear: &&Linear| place(&linear.stem.name) < place(&norm.stem.name);
                    self.linears.iter().filter(is_before).count()
                });
                let gaps: Vec<usize> = gaps.collect();
                chain.sides(&self.norms, &gaps)
            }
        };
        let spots = spots.map_err(|unplaced| self.refuse(&unplaced))?;
        for (norm, spot) in spots.iter().enumerate() {
            match *spot {
                Spot::Inputs(layer) => self.around[layer].inputs.push(norm),
                Spot::Outputs(layer) => self.around[layer].outputs.push(norm),
            }
        }
        let hidden = &self.around[..self.around.len() - 1];
        let is_kept = |around: &Around| around.outputs.len() == 1;
        self.keeps_norms = !hidden.is_empty() && hidden.iter().all(is_kept);
        self.note_norms(&spots, supplied);
        Ok(())
    }

    /// Notes where batch normalisation was found, and what became of it.
    fn note_norms(&mut self, spots: &[Spot], supplied: &Supplied) {
        let last = self.linears.len() - 1;
        let mut places: Vec<String> = Vec::new();
        for (norm, spot) in self.norms.iter().zip(spots).take(MOST_NAMES) {
            let (name, of) = (shown(&norm.stem.name), |layer: usize| {
                shown(&self.linears[layer].stem.name)
            });
            places.push(match *spot {
                Spot::Inputs(0) => format!("{name} on the inputs, folded"),
                Spot::Inputs(layer) => {
                    format!(
                        "{name} behind the activation of {}, folded into {}",
                        of(layer - 1),
                        of(layer)
                    )
                }
                Spot::Outputs(layer) if layer == last => format!("{name} on the outputs, folded"),
                Spot::Outputs(layer) => {
                    let fate = if self.keeps_norms { "kept" } else { "folded" };
                    format!("{name} between {} and its activation, {fate}", of(layer))
                }
            });
        }
        if self.norms.len() > MOST_NAMES {
            places.push("…".to_owned());
        }
        self.notes.push(message![format!(
            "batch normalisation: {}",
            places.join("; ")
        )]);
        if supplied.batch_norm_epsilon.is_none() {
            let keras = self.norms.iter().any(|norm| norm.is_keras);
            let (epsilon, of) = match keras {
                true => (EPSILON_OF_KERAS, "Keras"),
                false => (EPSILON_OF_PYTORCH, "PyTorch"),
            };
            self.notes.push(message![
                format!("batch normalisation adds {epsilon:e} to variances, the default of {of}; "),
                Key("batch_norm_epsilon"),
                " sets another number"
            ]);
        }
    }

    /// Notes layers without biases.
    fn note_missing(&mut self) {
        let missing = self.linears.iter().filter(|linear| linear.bias.is_none());
        let missing: Vec<&String> = missing.map(|linear| &linear.stem.name).collect();
        if !missing.is_empty() {
            let names = listed(missing.into_iter());
            self.notes
                .push(message![format!("no biases, zeros are used: {names}")]);
        }
    }

    fn refuse(&self, unplaced: &Unplaced) -> Error {
        let norm = |index: &usize| &self.norms[*index];
        let names = self.linears.iter().map(|linear| &linear.stem.name);
        match unplaced {
            Unplaced::Width(index, expected) => {
                let mean = &norm(index).mean;
                let expected = format!("{expected}, a number for each value there");
                self.file.refuse_tensor(&mean.name, mean.words(), expected)
            }
            Unplaced::Between(index) => {
                let place = format!("{}: {}", self.file.path.display(), norm(index).stem.name);
                let found = "batch normalisation in an unknown place";
                let expected = format!(
                    "one that its number or width shows, among {}",
                    listed(names)
                );
                Error::Model(Refusal::new(place, found, expected).hint(message![
                    "name all layers in their order with ",
                    Key("layers"),
                    ", as fc1,bn1,fc2"
                ]))
            }
            Unplaced::Side(index) => {
                let place = format!("{}: {}", self.file.path.display(), norm(index).stem.name);
                let found = "batch normalisation before or after the activation";
                Error::Model(
                    Refusal::new(
                        place,
                        found,
                        "which of the two, which the names do not tell",
                    )
                    .hint(message![
                        "give ",
                        Key("batch_norm").set_to(NormPlace::Before.name()),
                        " if it normalises what a linear layer computes, ",
                        Key("batch_norm").set_to(NormPlace::After.name()),
                        " if it normalises what the activation returns"
                    ]),
                )
            }
        }
    }
}

/// Refuses batch normalisation that was left out of the network of `linears`: one beside a layer, with its width. Another one
/// may belong to another network.
fn check_left_out(
    file: &TensorFile,
    linears: &[Linear],
    left_out: &[(String, Named)],
) -> Result<()> {
    let parent = |name: &str| {
        name.rsplit_once(['.', '/'])
            .map(|(parent, _)| parent.to_owned())
    };
    for (name, mean) in left_out {
        let fits = |linear: &Linear| {
            let has_width = mean
                .length()
                .is_some_and(|width| linear.shape.contains(&width));
            has_width && parent(&linear.stem.name) == parent(name)
        };
        if linears.iter().any(fits) {
            let place = message![file.path.display(), ": ", Key("layers")];
            let found = format!("layers without {name}, a batch normalisation beside them");
            let refusal = Refusal::new(place, found, "it in its place");
            return Err(Error::Model(refusal.hint(message![
                "name it between the layers where it stands, as fc1,bn1,fc2; if it belongs to another network, remove \
                 its tensors from the file"
            ])));
        }
    }
    Ok(())
}

/// Returns the order of the axes of weights, and the order of the layers as indices.
fn order(
    file: &TensorFile,
    (linears, norms): (&[Linear], &[Norm]),
    supplied: &Supplied,
    notes: &mut Vec<Message>,
) -> Result<(WeightShape, Vec<usize>)> {
    let given = supplied.layers.as_ref().map(|layers| {
        let place = |index: &usize| {
            layers
                .iter()
                .position(|layer| *layer == linears[*index].stem.name)
        };
        let mut order: Vec<usize> = (0..linears.len()).collect();
        order.sort_by_key(place);
        order
    });
    let orders = |shape: WeightShape| match (&given, orders(linears, shape)) {
        // Biases are checked in any case.
        (Some(order), found) => match bias_problem(&found, linears) {
            true => found,
            false => follow(linears, shape, order),
        },
        (None, found) => found,
    };
    let is_by_series = linears
        .windows(2)
        .all(|pair| pair[0].stem.series == pair[1].stem.series);
    let mut settled = |shape: WeightShape, found: Orders| {
        let order = single(file, (linears, norms), found)?;
        if given.is_none() && !is_by_series {
            let names = listed(order.iter().map(|&index| &linears[index].stem.name));
            notes.push(message![format!(
                "order of the layers, by their widths: {names}"
            )]);
        }
        Ok((shape, order))
    };
    let is = |role: Role| linears.iter().all(|linear| linear.role == role);
    let named = match (is(Role::Kernel), is(Role::Weight)) {
        (true, _) => Some(WeightShape::InOut),
        (_, true) => None,
        (false, false) if linears.iter().any(|linear| linear.role == Role::Kernel) => {
            return Err(file.refuse(
                "weights of some layers named kernel, and of others not",
                "one name in all layers",
            ));
        }
        (false, false) => None,
    };
    if let Some(shape) = supplied.weights.or(named) {
        return settled(shape, orders(shape));
    }
    let (first, second) = (orders(WeightShape::OutIn), orders(WeightShape::InOut));
    match (&first, &second) {
        (Orders::None(..), Orders::One(_)) => {
            let found = settled(WeightShape::InOut, second)?;
            notes.push(message![
                "weights are [in, out]: as [out, in] the widths do not fit together"
            ]);
            Ok(found)
        }
        // PyTorch's name has PyTorch's order.
        (Orders::One(_), Orders::One(_) | Orders::Several(..)) if !is(Role::Weight) => {
            let refusal = Refusal::new(
                file.path.display(),
                "weights that fit together as [out, in] and as [in, out]",
                "which of the two, which the names do not tell",
            );
            Err(Error::Model(refusal.hint(message![
                "give ",
                Key("weights").set_to(WeightShape::OutIn.name()),
                " or ",
                Key("weights").set_to(WeightShape::InOut.name())
            ])))
        }
        _ => settled(WeightShape::OutIn, first),
    }
}

/// Whether `found` refuses a bias.
fn bias_problem(found: &Orders, linears: &[Linear]) -> bool {
    let Orders::None(name, ..) = found else {
        return false;
    };
    let mut biases = linears.iter().filter_map(|linear| linear.bias.as_ref());
    biases.any(|bias| bias.name == *name)
}

/// Returns the only order, or the error if there is none or more than one.
fn single(
    file: &TensorFile,
    (linears, norms): (&[Linear], &[Norm]),
    orders: Orders,
) -> Result<Vec<usize>> {
    let names = |order: &[usize]| listed(order.iter().map(|&index| &linears[index].stem.name));
    let hint = || {
        let linears = linears.iter().map(|linear| &linear.stem);
        let mut stems: Vec<&Stem> = linears.chain(norms.iter().map(|norm| &norm.stem)).collect();
        stems.sort();
        // All of them, so that the list can be typed.
        let all: Vec<&str> = stems.iter().map(|stem| &*stem.name).collect();
        let what = match norms.is_empty() {
            true => "name the layers in their order with ",
            false => "name the layers and batch normalisation in their order with ",
        };
        message![what, Key("layers").set_to(all.join(","))]
    };
    let refuse = |found: String, expected: &str| {
        let refusal = Refusal::new(file.path.display(), found, expected);
        Err(Error::Model(refusal.hint(hint())))
    };
    match orders {
        Orders::One(order) => Ok(order),
        Orders::None(name, found, expected) => {
            let error = file.refuse_tensor(&name, found, expected);
            let is_tensor = file.tensors.names().contains(&&*name);
            Err(match is_tensor {
                true => error,
                false => error.map_refusal(|refusal| refusal.hint(hint())),
            })
        }
        Orders::Several(one, other) => {
            let found = format!(
                "layers that fit in the order {}, and {}",
                names(&one),
                names(&other)
            );
            refuse(
                found,
                "one order, by numbers in their names or by their widths",
            )
        }
        Orders::TooMany => {
            let found = format!("{} layers in many orders", linears.len());
            refuse(
                found,
                "one order, by numbers in their names or by their widths",
            )
        }
    }
}

/// A name for a message.
fn shown(name: &str) -> &str {
    if name.is_empty() { "the layer" } else { name }
}

/// Lists names for a message.
fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(|name| shown(name)).collect();
    match names.len() {
        ..=MOST_NAMES => names.join(", "),
        more => format!(
            "{} and {} more",
            names[..MOST_NAMES].join(", "),
            more - MOST_NAMES
        ),
    }
}
