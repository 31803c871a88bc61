//! Modules that come directly from their own repositories. The gateway decides which may; somebody outside
//! fetches them into a folder laid out as a module cache, and what lies there is served.

use std::fmt::Debug;
use std::path::Path;

use serde::Deserialize;

use super::Shared;
use super::escape;
use super::route::{File, Kind};
use crate::paths::escape_module;
use crate::text::clean;
use crate::web::fetch::{self, Answer, Failure};
use crate::web::upstream::Upstream;

/// Who fetches modules from their repositories. It may be asked by several threads.
pub trait Direct: Debug + Send + Sync {
    /// Fetches. What the go command says of it in JSON, and what was refused on the way.
    ///
    /// # Errors
    /// Nothing was fetched: why, in words for the user.
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<(Vec<u8>, String), String>;

    /// The folder in which modules lie then, as in GOMODCACHE.
    fn folder(&self) -> &Path;

    /// Ends what is under way.
    fn stop(&self);
}

/// What is wanted of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Its versions, and the newest one: `go list -m -versions`.
    Versions(&'a str),
    /// The files of a version, or of a branch or commit: `go mod download`.
    Files(&'a str, &'a str),
}

/// What the go command says of a module, as far as it counts here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Said {
    version: String,
    time: Option<String>,
    versions: Vec<String>,
    error: Option<Told>,
}

/// `go list` says an object, `go mod download` a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    Text(String),
    Object {
        #[serde(rename = "Err")]
        text: String,
    },
}

/// The list of a module's versions, as a proxy gives it.
pub(super) fn versions(shared: &Shared, module: &str) -> Result<String, Failure> {
    let said = ask(shared, &Wanted::Versions(module))?;
    let mut list = String::new();
    for version in said.versions.iter().filter(|one| escape::is_canonical(one)) {
        list.push_str(version);
        list.push('\n');
    }
    Ok(list)
}

/// What a proxy answers for the newest version.
pub(super) fn latest(shared: &Shared, module: &str) -> Result<Vec<u8>, Failure> {
    let said = ask(shared, &Wanted::Versions(module))?;
    let info = serde_json::json!({ "Version": said.version, "Time": said.time });
    Ok(info.to_string().into_bytes())
}

/// A file of a version. One that is there was fetched before, and versions do not change.
pub(super) fn file(shared: &Shared, file: &File) -> Result<Answer, Failure> {
    if escape::is_canonical(&file.version)
        && let Ok(answer) = kept(shared, file)
    {
        return Ok(answer);
    }
    let said = ask(shared, &Wanted::Files(&file.module, &file.version))?;
    let found = File {
        version: said.version,
        ..file.clone()
    };
    // A branch has nothing but the version that it stands for.
    if found.version != file.version && file.kind != Kind::Info {
        return Err(missing("is not a version of this module"));
    }
    kept(shared, &found)
}

/// A file that has been fetched.
fn kept(shared: &Shared, file: &File) -> Result<Answer, Failure> {
    let Some(direct) = &shared.direct else {
        return Err(missing("cannot be fetched here"));
    };
    let folder = Upstream::Folder(direct.folder().to_owned());
    let path = format!("cache/download/{}", file.path());
    let mut answer = fetch::one(&shared.client, &folder, &path)?;
    answer.upstream = format!("direct:{}", escape_module(&file.module));
    Ok(answer)
}

fn ask(shared: &Shared, wanted: &Wanted<'_>) -> Result<Said, Failure> {
    let Some(direct) = &shared.direct else {
        return Err(missing("cannot be fetched here"));
    };
    let (Wanted::Versions(module) | Wanted::Files(module, _)) = wanted;
    let (said, refused) = direct.fetch(wanted).map_err(|why| failure(module, &why))?;
    let said: Said = serde_json::from_slice(&said)
        .map_err(|error| failure(module, &format!("go says what nobody understands: {error}")))?;
    match said.error {
        None if !said.version.is_empty() => Ok(said),
        None => Err(missing("has no version")),
        Some(Told::Text(text) | Told::Object { text })
            if refused.is_empty() && says_missing(&text) =>
        {
            let mut failure = missing("Not Found");
            failure.detail = Some(lines(&text));
            Err(failure)
        }
        Some(Told::Text(text) | Told::Object { text }) => {
            Err(failure(module, &format!("{}\n{refused}", text.trim_end())))
        }
    }
}

/// Whether go says that there is no such module or version, and not that it could not find out: then it
/// looks for the package in other modules.
fn says_missing(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "404 Not Found",
        "410 Gone",
        "invalid version",
        "no go-import meta tags",
        "no matching versions",
        "not found",
        "unknown revision",
        "malformed module path",
    ];
    // A git that could not ask is something else, whatever go makes of it.
    !text.contains("exit status") && WORDS.iter().any(|words| text.contains(words))
}

fn missing(why: &str) -> Failure {
    Failure::own(404, why.to_owned(), None)
}

/// Nothing could be asked: that is not the same as that there is no such module.
fn failure(module: &str, why: &str) -> Failure {
    let mut failure = Failure::own(
        502,
        format!("gosandbox cannot fetch {module} from its repository"),
        None,
    );
    let mut detail = lines(why);
    const DENIED: [&str; 4] = [
        "401 Unauthorized",
        "403 Forbidden",
        "could not read Password",
        "could not read Username",
    ];
    // As the go command and git say it.
    const UNTRUSTED: [&str; 3] = [
        "certificate signed by unknown authority",
        "unable to get local issuer certificate",
        "self-signed certificate",
    ];
    if UNTRUSTED.iter().any(|words| why.contains(words)) {
        detail.push_str(
            "\nhelp: write into a profile of your own, with the file of the authority that signs for the host: [modules] ca = [\"/path/of/authority.pem\"]",
        );
    }
    if DENIED.iter().any(|words| why.contains(words)) {
        let host = module.split('/').next().unwrap_or(module);
        detail.push_str(&format!(
            "\nhelp: write into ~/.netrc, or the file that modules.credentials names: machine {host} login NAME password TOKEN"
        ));
    }
    failure.detail = Some(detail);
    failure
}

fn lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(clean).collect::<Vec<_>>().join("\n")
}
