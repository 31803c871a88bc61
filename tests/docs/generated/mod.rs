//! docs/generated/.

mod gocommand;
mod machines;
mod matching;
