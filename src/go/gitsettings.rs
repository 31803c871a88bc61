//! The settings of a file of git's, with their lines, for those who only look at them.

use super::gitconfig;

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// In lower case.
    pub section: String,
    /// With its case; empty where there is none.
    pub subsection: String,
    /// In lower case.
    pub key: String,
    /// `true` where there is no `=`.
    pub value: String,
    /// `section.subsection.key`, fit for a message.
    pub name: String,
    /// The line it begins in, from 1.
    pub line: u32,
}

/// The settings of `text`.
///
/// # Errors
/// The number of the line that git cannot read either.
pub fn read(text: &[u8]) -> Result<Vec<Setting>, usize> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let settings = gitconfig::parse(text)?;
    let settings = settings.into_iter().map(|setting| {
        let before = &text[..setting.span.start.min(text.len())];
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        Setting {
            name: setting.name(),
            subsection: lossy(&setting.subsection),
            value: setting
                .value
                .as_deref()
                .map_or_else(|| "true".to_owned(), lossy),
            section: setting.section,
            key: setting.key,
            line: u32::try_from(lines + 1).unwrap_or(u32::MAX),
        }
    });
    Ok(settings.collect())
}
