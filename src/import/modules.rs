//! The modules of a file: tensors put together by the names of their layers, with what each module is.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;

use super::names::{Role, Stem, parse};
use super::numbers::is_float;
use crate::error::Result;
use crate::message::{Key, Message, message};
use crate::tensors::TensorFile;

/// A tensor and its name.
#[derive(Debug)]
pub(super) struct Named<'a> {
    pub name: String,
    pub tensor: TensorView<'a>,
}

impl Named<'_> {
    /// The only size of a vector.
    pub(super) fn length(&self) -> Option<usize> {
        match *self.tensor.shape() {
            [length] => Some(length),
            _ => None,
        }
    }

    pub(super) fn words(&self) -> String {
        format!("{} {:?}", self.tensor.dtype(), self.tensor.shape())
    }
}

/// A linear layer. The axes of its weights are not known yet.
#[derive(Debug)]
pub(super) struct Linear<'a> {
    pub stem: Stem,
    pub role: Role,
    pub weight: Named<'a>,
    /// The sizes of the weights.
    pub shape: [usize; 2],
    pub bias: Option<Named<'a>>,
}

/// A batch normalisation.
#[derive(Debug)]
pub(super) struct Norm<'a> {
    pub stem: Stem,
    pub scale: Option<Named<'a>>,
    pub shift: Option<Named<'a>>,
    pub mean: Named<'a>,
    pub variance: Named<'a>,
    pub width: usize,
    /// Whether it has the names of Keras.
    pub is_keras: bool,
}

/// All modules of a file.
#[derive(Debug, Default)]
pub(super) struct Modules<'a> {
    /// In natural order.
    pub linears: Vec<Linear<'a>>,
    /// In natural order.
    pub norms: Vec<Norm<'a>>,
    /// The names of modules and tensors that were left out, as the order of the layers does not name them.
    pub left_out: Vec<String>,
    /// Batch normalisation among `left_out`, each by its mean, with the name of its module.
    pub norms_left_out: Vec<(String, Named<'a>)>,
}

/// The tensors of a module, by their role.
type Tensors<'a> = Vec<(Role, Named<'a>)>;

impl<'a> Modules<'a> {
    /// Finds the modules of `file`: all of them, or those that `layers` names.
    ///
    /// # Errors
    /// Returns [`crate::Error::Model`] if one is neither a linear layer nor a batch normalisation, and if `layers` names
    /// one that does not exist.
    pub(super) fn of(file: &TensorFile<'a>, layers: Option<&[String]>) -> Result<Modules<'a>> {
        let mut found: BTreeMap<Stem, Tensors> = BTreeMap::new();
        let mut modules = Modules::default();
        for (name, tensor) in file.tensors.tensors() {
            match parse(&name) {
                Some((_, Role::Counter)) => {}
                Some((stem, role)) => {
                    let module = found.entry(Stem::new(&stem)).or_default();
                    module.push((role, Named { name, tensor }));
                }
                None if layers.is_some() => modules.left_out.push(name),
                None => {
                    let found = "neither a weight, a bias nor a running statistic, by its name";
                    return Err(refuse(file, &name, found.to_owned()));
                }
            }
        }
        if let Some(layers) = layers {
            check_named(file, layers, &found)?;
        }
        for (stem, tensors) in found {
            match layers.is_some_and(|layers| !layers.contains(&stem.name)) {
                true => modules.leave_out(stem.name, tensors),
                false => modules.add(file, stem, tensors)?,
            }
        }
        modules.left_out.sort();
        Ok(modules)
    }

    fn leave_out(&mut self, name: String, tensors: Tensors<'a>) {
        let has_variance = tensors.iter().any(|(role, _)| *role == Role::Variance);
        let mean = tensors.into_iter().find(|(role, _)| *role == Role::Mean);
        if let (Some((_, mean)), true) = (mean, has_variance) {
            self.norms_left_out.push((name.clone(), mean));
        }
        self.left_out.push(name);
    }

    fn add(&mut self, file: &TensorFile, stem: Stem, tensors: Tensors<'a>) -> Result<()> {
        let (mut weight, mut bias, mut mean, mut variance) = (None, None, None, None);
        for (role, named) in tensors {
            if !is_float(named.tensor.dtype()) {
                let expected = "F16, BF16, F32 or F64";
                return Err(file.refuse_tensor(&named.name, named.words(), expected));
            }
            let slot = match role {
                Role::Bias => &mut bias,
                Role::Mean => &mut mean,
                Role::Variance => &mut variance,
                _ => &mut weight,
            };
            if let Some((_, other)) = slot {
                let other: &Named = other;
                let found = format!("a second tensor of this kind beside {}", other.name);
                return Err(refuse(file, &named.name, found));
            }
            *slot = Some((role, named));
        }
        let alone = |slot: Option<(Role, Named<'a>)>| slot.map(|(_, named)| named);
        let (bias, mean, variance) = (alone(bias), alone(mean), alone(variance));
        match (weight, mean, variance) {
            (weight, Some(mean), Some(variance)) => {
                let is_keras =
                    matches!(weight, Some((Role::Scale, _))) || mean.name.contains("moving_mean");
                let Some(width) = mean.length() else {
                    let expected = "[units], a number for each unit";
                    return Err(file.refuse_tensor(&mean.name, mean.words(), expected));
                };
                let norm = Norm {
                    stem,
                    scale: alone(weight),
                    shift: bias,
                    width,
                    mean,
                    variance,
                    is_keras,
                };
                check_norm(file, &norm)?;
                self.norms.push(norm);
            }
            (_, Some(one), None) | (_, None, Some(one)) => {
                let found = "a running statistic without the other one";
                return Err(refuse(file, &one.name, found.to_owned()));
            }
            (None, None, None) => {
                let name = bias.map_or(stem.name, |bias| bias.name);
                return Err(refuse(file, &name, "a bias without a weight".to_owned()));
            }
            (Some((role, weight)), None, None) => {
                let &[first, second] = weight.tensor.shape() else {
                    return Err(refuse(file, &weight.name, weight.words()));
                };
                self.linears.push(Linear {
                    stem,
                    role,
                    shape: [first, second],
                    weight,
                    bias,
                });
            }
        }
        Ok(())
    }
}

fn check_norm(file: &TensorFile, norm: &Norm) -> Result<()> {
    let parts = [&norm.scale, &norm.shift].into_iter().flatten();
    for part in parts.chain([&norm.mean, &norm.variance]) {
        if part.length() != Some(norm.width) {
            let expected = format!("[{}], a number for each unit", norm.width);
            return Err(file.refuse_tensor(&part.name, part.words(), expected));
        }
    }
    Ok(())
}

/// Checks that `layers` names modules of the file, each once.
fn check_named(
    file: &TensorFile,
    layers: &[String],
    found: &BTreeMap<Stem, Tensors>,
) -> Result<()> {
    let names: Vec<&str> = found.keys().map(|stem| &*stem.name).collect();
    let refuse = |found: String, expected: String| {
        let place = message![file.path.display(), ": ", Key("layers")];
        let refusal = crate::error::Refusal::new(place, found, expected);
        Err(crate::error::Error::Model(refusal))
    };
    for (at, layer) in layers.iter().enumerate() {
        if !names.contains(&layer.as_str()) {
            return refuse(layer.clone(), format!("some of {}", names.join(", ")));
        }
        if layers[..at].contains(layer) {
            return refuse(format!("{layer} twice"), "each layer once".to_owned());
        }
    }
    Ok(())
}

/// Returns the error for a tensor that is no part of a network that can be imported.
fn refuse(file: &TensorFile, name: &str, found: String) -> crate::error::Error {
    let expected =
        "the weight or bias of a linear layer, or a BatchNorm1d with its running statistics";
    let hint: Message = message![
        "if the network is a chain of linear layers without it, name these with ",
        Key("layers")
    ];
    let error = file.refuse_tensor(name, found, expected);
    error.map_refusal(|refusal| refusal.hint(hint))
}
