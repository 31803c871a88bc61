//! docs/generated/.

mod machines;
mod matching;
