//! Folding: two names that any file system takes for the same become the same bytes.

use std::borrow::Cow;

/// The short name that Windows gives the first `.git` of a folder.
const SHORT: &[u8] = b"git~1";

/// A name as file systems that fold case compare it: without case, without characters that cannot
/// be seen, without what follows `:` or `\\`, and without dots and spaces at the end.
///
/// ext4 and f2fs fold by Unicode (`.ſvn` is `.svn`) and leave out what cannot be seen. FAT cuts
/// dots off the end, and Windows spaces too; git looks no further than `:` and `\\`
/// (`is_ntfs_dotgit`). Text that is not UTF-8 is compared by its bytes, as the
/// kernel does (utf8_strncasecmp).
pub(super) fn fold(name: &[u8]) -> Cow<'_, [u8]> {
    if name.eq_ignore_ascii_case(SHORT) {
        return Cow::Borrowed(b".git");
    }
    let stop = name.iter().position(|byte| b":\\".contains(byte));
    let name = &name[..stop.unwrap_or(name.len())];
    if !name.is_ascii()
        && let Ok(text) = std::str::from_utf8(name)
    {
        let mut folded = Vec::with_capacity(text.len());
        for c in text.chars().filter(|c| !is_invisible(*c)) {
            push(c, &mut folded);
        }
        folded.truncate(end(&folded));
        return Cow::Owned(folded);
    }
    let name = &name[..end(name)];
    match name.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

/// Where the name ends without dots and spaces; `.` and `..` stay as they are.
fn end(name: &[u8]) -> usize {
    let last = name.iter().rposition(|byte| !b". ".contains(byte));
    last.map_or(name.len(), |last| last + 1)
}

fn push(c: char, folded: &mut Vec<u8>) {
    let ligature = match c {
        '\u{df}' | '\u{1e9e}' => "ss",
        '\u{17f}' => "s",
        '\u{212a}' => "k",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => {
            let mut bytes = [0; 4];
            for c in c.to_lowercase() {
                folded.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
            }
            return;
        }
    };
    folded.extend_from_slice(ligature.as_bytes());
}

/// Unicode's Default_Ignorable_Code_Point, which the kernel leaves out where it folds.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
