//! Placeholder until the drawing lands.
