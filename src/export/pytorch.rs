//! Exports to PyTorch, and imports from it: the `state_dict` of an `nn.Sequential` as safetensors.
//!
//! `nn.Sequential(nn.Linear(784, 100), nn.Sigmoid(), nn.Linear(100, 10))` names its tensors `0.weight [out, in]`,
//! `0.bias [out]`, `2.weight`, and so on, by the numbers of the modules. An identity activation is an `nn.Identity`, and a
//! scaled tanh is a module that the reader defines, as PyTorch has none. With a log link the module returns logarithms. A `state_dict` lacks the activation and the
//! scaling, which are in the metadata as in a model file; for a file without them the caller gives them. There may be
//! other modules between the layers (dropout, flatten), and a prefix before the numbers (`net.0.weight`).

use std::collections::BTreeMap;
use std::path::Path;

use crate::data::{GlobalScaling, Scaling};
use crate::error::{Error, Refusal, Result};
use crate::message::Key;
use crate::model::{KIND, Metadata, Model};
use crate::nn::{Activation, Link, Task};
use crate::tensors::{self, Layout, TensorFile};

/// The properties of a network that a file of weights may lack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Supplied {
    /// The activation of the hidden layers.
    pub activation: Option<Activation>,
    /// How elements become inputs.
    pub scaling: Option<Scaling>,
    /// The task; classification unless given.
    pub task: Option<Task>,
}

/// Encodes a model as a `state_dict`.
pub fn to_bytes(model: &Model) -> Vec<u8> {
    model.to_safetensors(Layout::sequential(model.spec.layers().len()))
}

/// Reads the network at `path`.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read, [`Error::Model`] if it is damaged or not an `nn.Sequential` of linear
/// layers, and [`Error::Config`] if a property is in neither `supplied` nor the file, or differs between them.
pub fn load(path: &Path, supplied: &Supplied) -> Result<Model> {
    from_bytes(path, &tensors::read(path, "a safetensors file")?, supplied)
}

/// Reads a network from the content of the file `path`.
///
/// # Errors
/// Returns the errors of [`load`].
pub fn from_bytes(path: &Path, bytes: &[u8], supplied: &Supplied) -> Result<Model> {
    let file = TensorFile::parse(&KIND, path, bytes)?;
    let mut metadata: Option<Metadata> = file.optional_metadata()?;
    metadata
        .iter()
        .try_for_each(|metadata| metadata.check(&file))?;
    let itself = || {
        let found = "a model of perceptor itself";
        let refusal = Refusal::new(path.display(), found, "what PyTorch or export wrote");
        Error::Model(refusal.hint("use it as it is"))
    };
    // Exports have none.
    if metadata
        .as_ref()
        .is_some_and(|metadata| metadata.batch_norm)
    {
        return Err(itself());
    }
    let stems = stems_in_order(&file)?;
    if metadata.is_some() && stems == Layout::own(stems.len()).stems {
        return Err(itself());
    }
    let sizes = sizes(&file, &stems)?;
    if let Some(metadata) = &metadata
        && metadata.layers != sizes
    {
        let found = format!("tensors of widths {sizes:?}");
        let expected = format!("{:?}, as the metadata has it", metadata.layers);
        return Err(Error::Model(Refusal::new(path.display(), found, expected)));
    }
    let told = metadata.as_ref();
    let has_hidden = sizes.len() > 2;
    let activation = settle(
        Key("activation"),
        supplied.activation,
        told.map(|metadata| metadata.activation),
        |activation| activation.name().to_owned(),
    )?;
    let activation = match activation {
        Some(activation) => activation,
        // Without hidden layers there is nothing to activate.
        None if !has_hidden => Activation::default(),
        None => {
            let expected = format!(
                "that of the hidden layers, which {} does not tell",
                path.display()
            );
            let hint = "a state_dict holds weights alone; see the nn.Sequential it was taken from";
            let refusal = Refusal::new(Key("activation"), "not given", expected);
            return Err(Error::Config(refusal.hint(hint)));
        }
    };
    let scaling = settle(
        Key("scale_factor"),
        supplied.scaling.clone(),
        told.map(|metadata| metadata.scaling.clone()),
        |scaling| match scaling.as_global() {
            Some(GlobalScaling { offset, factor }) => format!("offset {offset}, factor {factor}"),
            None => "a pair of numbers for each feature".to_owned(),
        },
    )?;
    let scaling = scaling.ok_or_else(|| {
        let expected = format!(
            "what elements are multiplied by, which {} does not tell",
            path.display()
        );
        let hint = "1/255 where bytes were divided by 255, as torchvision's ToTensor does; 1 where they were not";
        Error::Config(Refusal::new(Key("scale_factor"), "not given", expected).hint(hint))
    })?;
    let task = settle(
        Key("task"),
        supplied.task,
        told.map(|metadata| metadata.task),
        |task| task.name().to_owned(),
    )?;
    let spec = file.spec(&sizes, activation, false)?;
    let link = told.map_or(Link::default(), |metadata| metadata.link);
    let spec = spec.for_task(task.unwrap_or_default()).with_link(link);
    file.check_count(&spec, 1)?;
    let layout = Layout {
        stems,
        outputs_first: true,
        ending: String::new(),
    };
    let parameters = file.flat(&spec, &layout)?;
    let provenance = metadata.as_mut().and_then(Metadata::take_provenance);
    let (target_scaling, class_names, schema) = metadata.map_or((None, None, None), |told| {
        (told.target_scaling, told.class_names, told.schema)
    });
    Ok(Model {
        spec,
        scaling,
        target_scaling,
        parameters,
        class_names,
        schema,
        provenance,
    })
}

/// Returns the given value or that of the file, which must be equal if both are known.
fn settle<T: PartialEq>(
    key: Key,
    given: Option<T>,
    told: Option<T>,
    name: impl Fn(&T) -> String,
) -> Result<Option<T>> {
    match (&given, &told) {
        (Some(given), Some(told)) if given != told => {
            let expected = format!("{}, as in the file, or nothing", name(told));
            Err(Error::Config(Refusal::new(key, name(given), expected)))
        }
        _ => Ok(told.or(given)),
    }
}

/// Returns the part of the tensor names before `.weight` for each layer, in the order of the modules.
fn stems_in_order(file: &TensorFile) -> Result<Vec<String>> {
    let mut stems = BTreeMap::new();
    let mut common = None;
    for name in file.tensors.names() {
        let refuse = |expected: &str| {
            let place = format!("{}: {name}", file.path.display());
            let refusal = Refusal::new(place, "a name", expected);
            let hint = "save the state_dict of an nn.Sequential of nn.Linear and activations";
            Error::Model(refusal.hint(hint))
        };
        let stem = name
            .strip_suffix(".weight")
            .or_else(|| name.strip_suffix(".bias"));
        let number_of = |stem: &str| {
            let (prefix, digits) = stem.rsplit_once('.').unwrap_or(("", stem));
            // Only as PyTorch writes it, so that no two names are the same number.
            let number = digits.parse::<u32>().ok()?;
            (number.to_string() == digits).then(|| (prefix.to_owned(), number))
        };
        let Some((stem, (prefix, number))) = stem.and_then(|stem| Some((stem, number_of(stem)?)))
        else {
            return Err(refuse("N.weight or N.bias, as nn.Sequential has them"));
        };
        if *common.get_or_insert_with(|| prefix.clone()) != prefix {
            return Err(refuse("one prefix for all layers"));
        }
        stems.insert(number, stem.to_owned());
    }
    Ok(stems.into_values().collect())
}

/// Returns the widths from inputs to outputs by the shapes of the weights, each of which must match the one before.
fn sizes(file: &TensorFile, stems: &[String]) -> Result<Vec<usize>> {
    let mut sizes = Vec::new();
    for stem in stems {
        let name = format!("{stem}.weight");
        let refuse = |found: String, expected: String| file.refuse_tensor(&name, found, expected);
        let tensor = file.tensors.tensor(&name).map_err(|_| {
            refuse(
                "no such tensor".to_owned(),
                "one beside the bias".to_owned(),
            )
        })?;
        let &[fan_out, fan_in] = tensor.shape() else {
            let found = format!("{} {:?}", tensor.dtype(), tensor.shape());
            return Err(refuse(found, "F32 [out, in]".to_owned()));
        };
        match sizes.last() {
            None => sizes.push(fan_in),
            Some(&before) if before == fan_in => {}
            Some(&before) => {
                let found = format!("{fan_in} inputs");
                let expected = format!("{before}, the outputs of the layer before");
                return Err(refuse(found, expected));
            }
        }
        sizes.push(fan_out);
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use proptest::prelude::*;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use crate::nn::Spec;

    const HALF: Scaling = Scaling::global(1.0, 0.5);

    const SUPPLIED: Supplied = Supplied {
        activation: Some(Activation::Relu),
        scaling: Some(HALF),
        task: None,
    };

    fn model() -> Model {
        let spec = Spec::new(3, &[2, 4], 2, Activation::Tanh).expect("a spec");
        Model {
            parameters: (0..spec.parameters()).map(|i| i as f32 / 7.0).collect(),
            spec,
            scaling: HALF,
            target_scaling: None,
            class_names: None,
            schema: None,
            provenance: None,
        }
    }

    /// A file of these tensors, all of ones and without metadata.
    fn file(tensors: &[(&str, &[usize])]) -> Vec<u8> {
        let ones: Vec<u8> = 1f32.to_le_bytes().repeat(64);
        let views = tensors.iter().map(|&(name, shape)| {
            let bytes = &ones[..4 * shape.iter().product::<usize>()];
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (name, view.expect("a tensor"))
        });
        safetensors::serialize(views, None::<HashMap<_, _>>).expect("a file")
    }

    fn read(bytes: &[u8], supplied: &Supplied) -> Result<Model> {
        from_bytes(Path::new("p"), bytes, supplied)
    }

    fn refusal(bytes: &[u8], supplied: &Supplied) -> String {
        read(bytes, supplied).expect_err("a refusal").to_string()
    }

    #[test]
    fn an_export_is_imported_bit_for_bit() {
        let (model, bytes) = (model(), to_bytes(&model()));
        let back = read(&bytes, &Supplied::default()).expect("a model");
        assert_eq!(back, model);
        assert_eq!(back.to_bytes(), model.to_bytes());
        assert_eq!(to_bytes(&back), bytes);
    }

    #[test]
    fn weights_are_transposed() {
        let (model, bytes) = (model(), to_bytes(&model()));
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
        let weight = tensors.tensor("2.weight").expect("the second layer");
        assert_eq!(weight.shape(), [4, 2]);
        let own = model.spec.layers()[1].weight(&model.parameters);
        let expected = own
            .t()
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>();
        assert_eq!(weight.data(), expected);
    }

    #[test]
    fn other_modules_and_a_prefix_are_accepted() {
        // Ten before nine as text, and not as a number.
        let bytes = file(&[
            ("net.10.weight", &[2, 4]),
            ("net.10.bias", &[2]),
            ("net.9.weight", &[4, 3]),
            ("net.9.bias", &[4]),
        ]);
        let model = read(&bytes, &SUPPLIED).expect("a model");
        assert_eq!(model.spec.sizes(), [3, 4, 2]);
        assert_eq!((model.scaling, model.provenance), (HALF, None));
    }

    #[test]
    fn a_network_without_hidden_layers_needs_no_activation() {
        let bytes = file(&[("0.weight", &[2, 3]), ("0.bias", &[2])]);
        let supplied = Supplied {
            activation: None,
            ..SUPPLIED
        };
        assert_eq!(
            read(&bytes, &supplied).expect("a model").spec.sizes(),
            [3, 2]
        );
    }

    #[test]
    fn a_missing_or_contradicting_property_is_refused() {
        let bytes = file(&[
            ("0.weight", &[4, 3]),
            ("0.bias", &[4]),
            ("2.weight", &[2, 4]),
            ("2.bias", &[2]),
        ]);
        let message = refusal(&bytes, &Supplied::default());
        assert!(
            message.contains("activation: not given, expected that of"),
            "{message}"
        );
        let supplied = Supplied {
            scaling: None,
            ..SUPPLIED
        };
        let message = refusal(&bytes, &supplied);
        assert!(
            message.contains("scale_factor: not given, expected what"),
            "{message}"
        );
        let message = refusal(&to_bytes(&model()), &SUPPLIED);
        assert!(
            message.contains("activation: relu, expected tanh, as in the file"),
            "{message}"
        );
    }

    #[test]
    fn other_names_and_shapes_are_refused() {
        let good = [("0.bias", &[4][..])];
        for (tensors, words) in [
            (
                &[("fc1.weight", &[4, 3][..])][..],
                "fc1.weight: a name, expected N.weight",
            ),
            (&[("0.scale", &[4, 3])], "0.scale: a name"),
            (&[("00.weight", &[4, 3])], "00.weight: a name"),
            (
                &[("a.0.weight", &[4, 3]), ("b.2.weight", &[2, 4])],
                "one prefix",
            ),
            (
                &[("0.weight", &[4, 3]), ("2.weight", &[2, 5])],
                "2.weight: 5 inputs, expected 4",
            ),
            (&good, "0.weight: no such tensor"),
            (
                &[("0.weight", &[4, 3, 1])],
                "0.weight: F32 [4, 3, 1], expected F32 [out, in]",
            ),
            (&[("0.weight", &[4, 3])], "tensors: 1, expected 2"),
            (
                &[("0.weight", &[4, 3]), ("0.bias", &[3])],
                "0.bias: F32 [3], expected F32 [4]",
            ),
            (
                &[("0.weight", &[0, 3]), ("0.bias", &[0])],
                "widths of at least 1",
            ),
            (&[], "at least two widths"),
        ] {
            let message = refusal(&file(tensors), &SUPPLIED);
            assert!(message.contains(words), "{message}");
        }
    }

    proptest! {
        /// A damaged file is refused or read as another one, and never panics.
        #[test]
        fn a_damaged_file_never_panics(at in 0usize..1000, with in any::<u8>(), cut in 0usize..2000) {
            let mut bytes = to_bytes(&model());
            let length = bytes.len();
            bytes[at % length] = with;
            bytes.truncate(cut);
            let _ = read(&bytes, &SUPPLIED);
            let _ = read(&bytes, &Supplied::default());
        }
    }
}
