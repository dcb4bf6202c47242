//! Other tools predict the same as `perceptor predict` from a model file or an export, for every sample and every
//! activation: the same class, and each probability within 1e-5. Tests print that they are skipped if a tool is missing.
//!
//! The samples are the 10,000 test images of MNIST if `PERCEPTOR_DATA`, or `../shared/data`, has `mnist/`, and generated
//! digits otherwise. `models` trains the models; every other file is one tool.

mod c;
mod convert;
#[path = "../mnist/mod.rs"]
mod mnist;
mod models;
mod numpy;
mod onnx;
mod python;
mod pytorch;
mod tables;
mod tasks;
mod timestamps;
