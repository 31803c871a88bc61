//! Finding and reading profiles, and following what they extend.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::merge;
use super::origin::{Origin, Origins, Source};
use super::parse::{Document, parse};
use super::setting::Item;
use super::{BUILT_IN, BuiltIn, Caller, DEFAULT, Error, Resolved, Selection, nearest};
use crate::files::look;
use crate::policy::Policy;
use crate::refusal::shell_path;

/// No profile is longer; what is longer is a mistake or an attack.
const LONGEST: u64 = 1 << 20;

/// No more profiles stand on each other.
const DEEPEST: usize = 16;

/// Where the machine's own profiles lie.
const SYSTEM: &str = "/etc/gosandbox";

/// Device and inode of a file that was read.
pub(super) type Identity = (u64, u64);

/// A profile that can be named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// The file, if it is not built in.
    pub file: Option<PathBuf>,
    /// Why it cannot be used, if it cannot.
    pub problem: Option<String>,
}

/// Every profile that can be named, sorted.
pub fn list(caller: &Caller) -> Vec<Listed> {
    let mut listed = Vec::new();
    let mut add = |name: String, file: Option<PathBuf>, document: Result<Document, Error>| {
        let (description, problem) = match document {
            Ok(document) => (document.description, None),
            Err(error) => (None, Some(error.to_string())),
        };
        listed.push(Listed {
            name,
            description,
            file,
            problem,
        });
    };
    for one in BUILT_IN {
        add(one.name.to_owned(), None, built_in(one));
    }
    for folder in folders(caller) {
        let Ok(entries) = look::read_dir(&folder) else {
            continue;
        };
        for path in entries.iter().map(look::Entry::path) {
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.and_then(|name| name.strip_suffix(".toml")) {
                let name = name.to_owned();
                let document = file(&path, caller).map(|(document, _)| document);
                add(name, Some(path), document);
            }
        }
    }
    listed.sort();
    listed
}

/// Loads a profile with all it extends; the identity is that of the profile's own file.
pub(super) fn profile(
    selection: &Selection,
    caller: &Caller,
) -> Result<(Resolved, Option<Identity>), Error> {
    let (first, identity) = find(selection, caller)?;
    let name = match selection {
        Selection::Name(name) => name.clone(),
        Selection::File(path) => path.display().to_string(),
    };
    let mut chain = vec![(name.clone(), first)];
    while let Some(base) = base(&chain, caller)? {
        chain.push(base);
    }
    let mut resolved = Resolved {
        policy: Policy::closed(),
        origins: Origins::default(),
    };
    for (_, document) in chain.iter().rev() {
        for setting in &document.settings {
            merge::apply(&mut resolved, setting, &document.source);
        }
    }
    resolved.policy.name = name;
    Ok((resolved, identity))
}

/// What the last profile of the chain extends: what it names, else strict, which extends nothing.
fn base(
    chain: &[(String, Document)],
    caller: &Caller,
) -> Result<Option<(String, Document)>, Error> {
    let Some((_, last)) = chain.last() else {
        return Ok(None);
    };
    let Some(Item { value: name, line }) = &last.extends else {
        return Ok(match (&last.source, BuiltIn::find(DEFAULT)) {
            (Source::BuiltIn(DEFAULT), _) | (_, None) => None,
            (_, Some(strict)) => Some((DEFAULT.to_owned(), built_in(strict)?)),
        });
    };
    let mut selection = Selection::parse(Path::new(name));
    if let (Selection::File(path), Source::File(from)) = (&mut selection, &last.source)
        && let Some(folder) = from.parent()
    {
        *path = folder.join(&*path);
    }
    let at = || last.source.at(*line);
    let (document, _) = find(&selection, caller).map_err(|error| missing_base(error, at()))?;
    if chain.iter().any(|(_, one)| one.source == document.source) {
        let names = chain.iter().map(|(name, _)| name.clone());
        return Err(Error::Loop {
            name: name.clone(),
            at: at(),
            chain: names.chain([name.clone()]).collect(),
        });
    }
    if chain.len() > DEEPEST {
        return Err(Error::Deep {
            name: name.clone(),
            at: at(),
            most: DEEPEST,
        });
    }
    Ok(Some((name.clone(), document)))
}

/// A profile that is not there is looked for in the one that names it.
fn missing_base(error: Error, at: Origin) -> Error {
    let problem = match &error {
        Error::Unknown { .. } => error.to_string(),
        Error::Read { source, .. } => format!("{error}: {source}"),
        _ => return error,
    };
    Error::Value {
        at,
        key: "extends".to_owned(),
        problem,
    }
}

fn find(selection: &Selection, caller: &Caller) -> Result<(Document, Option<Identity>), Error> {
    let name = match selection {
        Selection::File(path) => {
            return file(path, caller).map(|(document, identity)| (document, Some(identity)));
        }
        Selection::Name(name) => name,
    };
    if let Some(found) = BuiltIn::find(name) {
        refuse_shadow(name, caller)?;
        return Ok((built_in(found)?, None));
    }
    let places: Vec<PathBuf> = places(name, caller).collect();
    for place in &places {
        refuse_of_source(name, place, caller)?;
        match file(place, caller) {
            Ok((document, identity)) => return Ok((document, Some(identity))),
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Unknown {
        name: name.clone(),
        nearest: nearest(name, BUILT_IN.map(|one| one.name)),
        looked: places,
    })
}

/// Whoever puts a file of a built-in profile's name there means it to be used, and whoever names the
/// built-in one means that one: neither may be disappointed in silence.
pub(super) fn refuse_shadow(name: &str, caller: &Caller) -> Result<(), Error> {
    match places(name, caller).find(|place| look::exists(place)) {
        Some(path) => Err(Error::Shadowed {
            name: name.to_owned(),
            path,
        }),
        None => Ok(()),
    }
}

/// The configuration may lie in the work tree (CI services set HOME so), and then the repository would say
/// what a name means.
fn refuse_of_source(name: &str, place: &Path, caller: &Caller) -> Result<(), Error> {
    let real = look::canonicalize(place);
    let is_in = |source: &PathBuf| real.is_ok_and(|real| real.starts_with(source));
    match caller.source.as_ref().is_some_and(is_in) {
        true => Err(Error::OfSource {
            name: name.to_owned(),
            path: place.to_owned(),
        }),
        false => Ok(()),
    }
}

fn places(name: &str, caller: &Caller) -> impl Iterator<Item = PathBuf> {
    let file = format!("{name}.toml");
    folders(caller).map(move |folder| folder.join(&file))
}

fn folders(caller: &Caller) -> impl Iterator<Item = PathBuf> {
    let own = caller
        .config_home
        .as_ref()
        .map(|home| home.join("gosandbox"));
    own.into_iter().chain([PathBuf::from(SYSTEM)])
}

fn built_in(one: BuiltIn) -> Result<Document, Error> {
    parse(one.text, Source::BuiltIn(one.name))
}

fn file(path: &Path, caller: &Caller) -> Result<(Document, Identity), Error> {
    let opened = opened(path, look::open(path))?.ok_or_else(|| Error::Read {
        path: path.to_owned(),
        source: rustix::io::Errno::NOENT.into(),
    })?;
    trust(path, &opened, caller)?;
    read(path, opened)
}

/// A file that was opened; `None` where there is none.
pub(super) fn opened(path: &Path, opened: io::Result<File>) -> Result<Option<File>, Error> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads and parses an opened profile.
pub(super) fn read(path: &Path, file: File) -> Result<(Document, Identity), Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let unfit = |why| Error::Unfit {
        path: path.to_owned(),
        why,
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(unfit("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(unfit("it is longer than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| unfit("it is not UTF-8"))?;
    let document = parse(&text, Source::File(Arc::from(path)))?;
    Ok((document, (metadata.dev(), metadata.ino())))
}

/// A profile decides what is granted: nobody but root and the caller may have written it.
fn trust(path: &Path, file: &File, caller: &Caller) -> Result<(), Error> {
    let metadata = file.metadata().map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let untrusted = |why: String, remedy: String| {
        Err(Error::Untrusted {
            path: path.to_owned(),
            why,
            remedy,
        })
    };
    let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
    if owner != 0 && owner != caller.uid {
        return untrusted(
            format!("it belongs to user {owner}"),
            format!("cp {} ~/.config/gosandbox/", shell_path(path)),
        );
    }
    // A group of the same number as the user is that user's own (umask 002 counts on it).
    if mode & 0o002 != 0 || (mode & 0o020 != 0 && group != owner) {
        return untrusted(
            "others may write it".to_owned(),
            format!("chmod go-w {}", shell_path(path)),
        );
    }
    Ok(())
}
