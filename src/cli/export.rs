//! `perceptor export`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use perceptor::data::{GlobalScaling, Scaling};
use perceptor::durable;
use perceptor::export::columns::TableColumns;
use perceptor::export::{self, Format, activation, c_header, onnx};
use perceptor::nn::{Link, Task};
use perceptor::report::number::bytes;
use perceptor::{Error, Model, Refusal};

use super::failure::Failure;
use super::shell::{program, shell_word};
use super::stdin::is_stdin;
use super::values::named;

const EXAMPLES: &str = "\
Examples:
  perceptor export runs/train-1/model.safetensors --to onnx
  perceptor export model.safetensors --to c --name digits --out digits.h
  perceptor export model.safetensors --to safetensors-pytorch --out net.safetensors";

/// Write a model in another format: ONNX, NumPy, C, PyTorch
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct ExportArgs {
    /// Model file, written by train or import
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// onnx: graph from unscaled elements to probabilities or values; npz: arrays for numpy.load; c: C99 header;
    /// safetensors-pytorch: state_dict of an nn.Sequential
    #[arg(long, value_name = "FORMAT", value_parser = named(Format::ALL, Format::name))]
    to: Format,
    /// File to write, or - to print a C header [default: the path of the model with the extension of the format]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prefix of the functions in a C header [default: perceptor]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

impl ExportArgs {
    pub fn run(&self) -> Result<(), Failure> {
        if let Some(name) = &self.name
            && self.to != Format::C
        {
            let found = format!("{name} with --to {}", self.to.name());
            let refusal = Refusal::new("--name", found, "--to c, the only format with names");
            return Err(Error::Config(refusal).into());
        }
        let model = Model::load(&self.model)?;
        let default = || self.model.with_extension(self.to.extension());
        let out = self.out.clone().unwrap_or_else(default);
        if self.to == Format::C && is_stdin(&out) {
            let name = self.name.as_deref().unwrap_or(c_header::DEFAULT_NAME);
            let mut header = Vec::new();
            export::write(&model, self.to, name, &mut header)?;
            return Ok(io::stdout().write_all(&header)?);
        }
        check_free(&out, self.force, &self.model)?;
        let name = self.name.as_deref().unwrap_or(c_header::DEFAULT_NAME);
        match self.force {
            true => export::save(&model, self.to, name, &out)?,
            false => export::save_new(&model, self.to, name, &out)
                .map_err(|error| refuse_existing(&out, error))?,
        }
        let mut stdout = io::stdout().lock();
        write_done(&mut stdout, self.to.name(), &model, &out)?;
        for (index, line) in next_lines(self.to, name, &model, &out).iter().enumerate() {
            writeln!(
                stdout,
                "{}  {line}",
                if index == 0 { "next" } else { "    " }
            )?;
        }
        Ok(())
    }
}

/// Returns an error if `out` exists and `force` is not given, or if it is the file that is read. Removes what a killed process
/// left of `out`.
pub fn check_free(out: &Path, force: bool, source: &Path) -> Result<(), Error> {
    if is_stdin(out) {
        let refusal = Refusal::new("--out", "standard output", "a file");
        return Err(Error::Config(refusal.hint("only text is printed")));
    }
    durable::remove_leftovers_of(out);
    if !out.exists() {
        return Ok(());
    }
    let refusal = |found: &str, expected: &str| Refusal::new(out.display(), found, expected);
    let same = out.canonicalize().ok() == source.canonicalize().ok();
    if same {
        let refusal = refusal("the file that is read", "another file to write");
        return Err(Error::Config(refusal.hint("name one with --out")));
    }
    if out.is_dir() {
        return Err(Error::Config(refusal("a folder", "a file to write")));
    }
    if !force {
        return Err(Error::Config(exists(out)));
    }
    Ok(())
}

/// Returns the error for a file that another process has written to `out` meanwhile, and others as they are.
pub fn refuse_existing(out: &Path, error: Error) -> Error {
    match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
            Error::Config(exists(out))
        }
        other => other,
    }
}

fn exists(out: &Path) -> Refusal {
    let expected = "no such file, or --force to replace it";
    Refusal::new(out.display(), "exists already", expected)
}

/// Prints what was written where.
pub fn write_done(
    stdout: &mut dyn Write,
    format: &str,
    model: &Model,
    out: &Path,
) -> io::Result<()> {
    let length = out.metadata().map_or(0, |metadata| metadata.len());
    let (spec, activation) = (&model.spec, model.spec.activation().name());
    writeln!(
        stdout,
        "{}: {format}, {spec}, {activation}, {}",
        out.display(),
        bytes(usize::try_from(length).unwrap_or(usize::MAX)),
    )
}

/// Returns the lines that show how to use the file.
fn next_lines(format: Format, name: &str, model: &Model, out: &Path) -> Vec<String> {
    let path = format!("{:?}", out.display().to_string());
    match format {
        Format::Onnx => onnx_lines(model, &path),
        Format::Npz => npz_lines(model, &path),
        Format::C => vec![format!("#include {path}"), c_line(name, model)],
        Format::SafetensorsPytorch => {
            let hidden = model.spec.layers().len() > 1;
            let activation = model.spec.activation();
            let definition = activation::pytorch_definition(activation).filter(|_| hidden);
            let mut lines: Vec<String> = definition.map(str::to_owned).into_iter().collect();
            lines.push(format!("model = {}", sequential(model)));
            lines.push(format!(
                "model.load_state_dict(safetensors.torch.load_file({path}))"
            ));
            lines.extend(sequential_inputs(model, &path));
            lines.push(format!(
                "{} import {}  imports it again",
                program(),
                shell_word(out)
            ));
            lines
        }
    }
}

/// Returns the lines that run an ONNX session, in Python.
fn onnx_lines(model: &Model, path: &str) -> Vec<String> {
    let session = format!("session = onnxruntime.InferenceSession({path})");
    let results = onnx_results(model);
    let Some(schema) = &model.schema else {
        let (element, inputs) = (numpy_type(model), model.spec.inputs());
        let shape = format!("x: {element} [batch, {inputs}], not scaled");
        return vec![
            session,
            format!("{results} = session.run(None, {{\"elements\": x}})  # {shape}"),
        ];
    };
    let columns = TableColumns::of(schema);
    let inputs = [
        ("(\"numbers\", \"float64\")", !columns.numbers.is_empty()),
        ("(\"texts\", str)", !columns.texts.is_empty()),
    ];
    let inputs = inputs.iter().filter(|(_, exists)| *exists);
    let inputs: Vec<&str> = inputs.map(|(input, _)| *input).collect();
    vec![
        session,
        "columns = session.get_modelmeta().custom_metadata_map".to_owned(),
        format!(
            "feed = {{key: table[json.loads(columns[key])].to_numpy(kind) for key, kind in [{}]}}",
            inputs.join(", ")
        ),
        format!("{results} = session.run(None, feed)  # table: a pandas.DataFrame"),
    ]
}

/// Returns the lines that compute the first layer of an NPZ file, in Python.
fn npz_lines(model: &Model, path: &str) -> Vec<String> {
    let layer = "model[\"layers.0.weight\"] + model[\"layers.0.bias\"]";
    let first = match model.schema {
        Some(_) => {
            format!("z = x @ {layer}  # x: rows encoded by json.loads(str(model[\"schema\"]))")
        }
        None => {
            format!("z = (x - model[\"scaling.offset\"]) * model[\"scaling.factor\"] @ {layer}")
        }
    };
    vec![format!("model = numpy.load({path})"), first]
}

/// Returns a call of the C function, with what it takes.
fn c_line(name: &str, model: &Model) -> String {
    let takes = match &model.schema {
        Some(_) => "a double for each column that the header lists".to_owned(),
        None => {
            let kind = match model.scaling.is_wide() {
                true => "doubles",
                false => "floats",
            };
            format!("{} {kind}", model.spec.inputs())
        }
    };
    let call = c_call(name, model);
    format!("{call}  /* elements: {takes}, not scaled; link with -lm */")
}

/// Returns the left side of a call of an ONNX session, in Python.
fn onnx_results(model: &Model) -> String {
    let outputs = onnx::outputs(model.spec.task());
    match outputs {
        [only] => format!("({only},)"),
        several => several.join(", "),
    }
}

/// Returns the type of the elements that an ONNX session takes, in NumPy.
fn numpy_type(model: &Model) -> &'static str {
    match model.scaling.is_wide() {
        true => "float64",
        false => "float32",
    }
}

/// Returns the lines that scale `x` and apply the PyTorch module that was loaded from `path`, in Python.
fn sequential_inputs(model: &Model, path: &str) -> Vec<String> {
    match &model.scaling {
        _ if model.schema.is_some() => {
            let call = sequential_call(model, "x");
            vec![format!(
                "{call}  # x: rows encoded by the schema in the metadata"
            )]
        }
        Scaling::Global(GlobalScaling { offset, factor }) => {
            vec![sequential_call(
                model,
                &format!("(x - {offset:?}) * {factor:?}"),
            )]
        }
        Scaling::PerFeature(_) => vec![
            format!("about = safetensors.safe_open({path}, \"pt\").metadata()[\"perceptor\"]"),
            "scaling = [json.loads(about)[\"scaling\"][key] for key in (\"offset\", \"factor\")]"
                .to_owned(),
            "offset, factor = torch.tensor(scaling, dtype=torch.float64)".to_owned(),
            sequential_call(model, "(x - offset).float() * factor.float()"),
        ],
    }
}

/// Returns a call of the C function.
fn c_call(name: &str, model: &Model) -> String {
    match model.spec.task() {
        Task::Classification => format!("int best = {name}_predict(elements, probabilities);"),
        Task::Multilabel => format!("{name}_predict(elements, probabilities);"),
        Task::Regression => format!("{name}_predict(elements, values);"),
    }
}

/// Returns a call of the PyTorch module, which ends before the softmax, the sigmoids or the exponential.
fn sequential_call(model: &Model, inputs: &str) -> String {
    match (model.spec.task(), model.spec.link()) {
        (Task::Classification | Task::Multilabel, _) => format!("logits = model({inputs})"),
        (Task::Regression, Link::Identity) => format!("values = model({inputs})"),
        (Task::Regression, Link::Log) => format!("values = model({inputs}).exp()"),
    }
}

/// Returns the PyTorch module that loads the weights of `model`, in Python.
fn sequential(model: &Model) -> String {
    let activation = activation::pytorch_module(model.spec.activation());
    let layers = model.spec.layers().iter();
    let linear = layers.map(|layer| format!("nn.Linear({}, {})", layer.fan_in, layer.fan_out));
    let linear: Vec<String> = linear.collect();
    format!(
        "nn.Sequential({})",
        linear.join(&format!(", {activation}, "))
    )
}
