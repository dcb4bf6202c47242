//! A model is worth something without this program: what other tools make of a model file, or of an export, is what
//! `perceptor predict` says, for every item and every activation: the same class, each probability within 1e-5.
//!
//! The items are the 10,000 test images of MNIST where `PERCEPTOR_DATA`, or `../shared/data`, has `mnist/`, and
//! generated digits elsewhere. `models` trains what the others read; a file a tool.

mod c;
mod convert;
#[path = "../mnist/mod.rs"]
mod mnist;
mod models;
mod numpy;
mod onnx;
mod python;
mod pytorch;
mod tasks;
