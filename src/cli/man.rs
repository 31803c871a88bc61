//! `gosandbox man`.

use std::io;

use super::help;

/// The manual page, as roff.
pub fn render() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(help::command()).render(&mut page)?;
    Ok(page)
}
