//! Which of the GOPROXY protocol's requests a path is. There are no others.

use super::escape;
use crate::paths::escape_module;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `MODULE/@v/list`
    List(String),
    /// `MODULE/@latest`
    Latest(String),
    /// `MODULE/@v/VERSION.info`, `.mod` or `.zip`
    File(File),
    /// `sumdb/NAME/supported`
    Supported(String),
    /// `sumdb/NAME/latest`, `tile/…` or `lookup/…`
    Sumdb(Sumdb),
}

/// A file of a module's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) module: String,
    pub(super) version: String,
    pub(super) kind: Kind,
}

/// Which file of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Info,
    Mod,
    Zip,
}

/// A request to a checksum database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sumdb {
    /// The database.
    pub(super) name: String,
    /// What follows its name, as it was asked for.
    pub(super) path: String,
    /// Module and version of a lookup.
    pub(super) lookup: Option<(String, String)>,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Info => "info",
            Kind::Mod => "mod",
            Kind::Zip => "zip",
        }
    }
}

impl File {
    /// The path at an upstream.
    pub(super) fn path(&self) -> String {
        format!(
            "{}/@v/{}.{}",
            escape_module(&self.module),
            escape_module(&self.version),
            self.kind.word()
        )
    }
}

/// The route of a path below the token, decoded, without its first `/`.
pub(super) fn route(path: &str) -> Option<Route> {
    if let Some(rest) = path.strip_prefix("sumdb/") {
        return sumdb(rest);
    }
    if let Some(module) = path.strip_suffix("/@latest") {
        return escape::module(module).map(Route::Latest);
    }
    let (module, file) = path.split_once("/@v/")?;
    let module = escape::module(module)?;
    if file == "list" {
        return Some(Route::List(module));
    }
    let (version, suffix) = file.rsplit_once('.')?;
    let kind = match suffix {
        "info" => Kind::Info,
        "mod" => Kind::Mod,
        "zip" => Kind::Zip,
        _ => return None,
    };
    let version = escape::version(version)?;
    // Go asks for a branch's .info; for the rest it knows the version.
    (kind == Kind::Info || escape::is_canonical(&version)).then_some(Route::File(File {
        module,
        version,
        kind,
    }))
}

fn sumdb(rest: &str) -> Option<Route> {
    // A database's name may hold slashes.
    let lookup = rest.find("/lookup/").or_else(|| rest.find("/tile/"));
    let (name, path) = match lookup {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => rest.rsplit_once('/')?,
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-./_".contains(&b);
    let fits = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_name);
    if !name.split('/').all(fits) {
        return None;
    }
    let name = name.to_owned();
    let lookup = match path.split_once('/') {
        None if path == "supported" => return Some(Route::Supported(name)),
        None if path == "latest" => None,
        Some(("lookup", asked)) => {
            let (module, version) = asked.split_once('@')?;
            let version = escape::version(version)?;
            Some((escape::module(module)?, version))
        }
        Some(("tile", tile)) if is_tile(tile) => None,
        _ => return None,
    };
    Some(Route::Sumdb(Sumdb {
        name,
        path: path.to_owned(),
        lookup,
    }))
}

/// `HEIGHT/LEVEL/x001/234`, with `data` as a level, and perhaps `.p/WIDTH` at the end.
fn is_tile(tile: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (full, width) = match tile.split_once(".p/") {
        Some((full, width)) => (full, Some(width)),
        None => (tile, None),
    };
    let parts: Vec<&str> = full.split('/').collect();
    let [height, level, index @ .., last] = &parts[..] else {
        return false;
    };
    digits(height)
        && (*level == "data" || digits(level))
        && digits(last)
        && index
            .iter()
            .all(|part| part.strip_prefix('x').is_some_and(digits))
        && width.is_none_or(digits)
        && tile.len() < 100
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_request_of_the_protocol_has_its_route() {
        let file = |module: &str, version: &str, kind| {
            Some(Route::File(File {
                module: module.to_owned(),
                version: version.to_owned(),
                kind,
            }))
        };
        assert_eq!(route("a.b/c/@v/list"), Some(Route::List("a.b/c".into())));
        assert_eq!(route("a.b/!c/@latest"), Some(Route::Latest("a.b/C".into())));
        assert_eq!(
            route("a.b/@v/v1.0.0.info"),
            file("a.b", "v1.0.0", Kind::Info)
        );
        assert_eq!(route("a.b/@v/main.info"), file("a.b", "main", Kind::Info));
        assert_eq!(
            route("a.b/@v/v1.0.0-!r!c.mod"),
            file("a.b", "v1.0.0-RC", Kind::Mod)
        );
        assert_eq!(route("a.b/@v/v1.0.0.zip"), file("a.b", "v1.0.0", Kind::Zip));
        assert_eq!(
            route("sumdb/sum.golang.org/supported"),
            Some(Route::Supported("sum.golang.org".into()))
        );
        for path in [
            "latest",
            "lookup/a.b/!c@v1.0.0",
            "tile/8/0/x001/234",
            "tile/8/data/000.p/17",
            "tile/8/1/005",
        ] {
            let found = route(&format!("sumdb/sum.golang.org/{path}"));
            let Some(Route::Sumdb(found)) = found else {
                panic!("{path}");
            };
            assert_eq!(found.path, path);
            assert_eq!(found.lookup.is_some(), path.starts_with("lookup"));
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_has_none() {
        for path in [
            "",
            "a.b",
            "a.b/@v",
            "a.b/@v/",
            "a.b/@v/list/",
            "a.b/@v/v1.0.0",
            "a.b/@v/v1.0.0.ziphash",
            "a.b/@v/v1.0.0.lock",
            "a.b/@v/main.zip",
            "a.b/@v/.info",
            "a.b/@v/../x.info",
            "a.b/@v/x/@v/list",
            "a.b/@latest/",
            "@v/list",
            "sumdb/",
            "sumdb/x",
            "sumdb//supported",
            "sumdb/x/lookup/a.b",
            "sumdb/x/tile/../../y",
            "sumdb/../x/latest",
            "sumdb/x/tile/8/0/y",
            "sumdb/x/../supported",
            "sumdb/x/tile/8/0/001.p/",
            "sumdb/a@b/supported",
            "sumdb/x/lookup/a.b@",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_route_leads_out_of_its_folder(path in "[a-z!@./v0-9%]{0,30}(/@v/[a-z0-9.!/]{0,12})?") {
            if let Some(Route::File(file)) = route(&path) {
                prop_assert!(!file.path().split('/').any(|part| part == ".." || part == "." || part.is_empty()));
                prop_assert_eq!(file.path(), path);
            }
        }
    }
}
