//! The values that are neither a word nor a list: private patterns and what holds for each, pinned
//! upstreams, ranges of versions, variables.

use std::path::PathBuf;

use super::super::check::{self, Problem};
use super::super::error::did_you_mean;
use super::super::setting::{Edit, Item, Private, Value};
use super::super::{Error, Key, nearest};
use super::{Node, Reader};
use crate::policy::protected::is_always;
use crate::policy::{Direct, Pin, Reach, Transport};

impl Reader<'_> {
    /// How far programs reach: a word. `true` and `false` stand for the two ends.
    pub(super) fn reach(&self, key: Key, node: &Node<'_>) -> Result<Reach, Error> {
        match node.get_ref().as_bool() {
            Some(true) => Ok(Reach::Hosts),
            Some(false) => Ok(Reach::Loopback),
            None => self.word(key, node, &Reach::ALL, Reach::word),
        }
    }

    /// A list of patterns, an edit of it, or a table of patterns and what holds for each.
    pub(super) fn private(&self, key: Key, node: &Node<'_>) -> Result<Value, Error> {
        let Some(table) = node.get_ref().as_table() else {
            return self
                .list(key, node, check::module_pattern)
                .map(Value::Private);
        };
        if table.values().any(|value| value.get_ref().is_array()) {
            return self
                .list(key, node, check::module_pattern)
                .map(Value::Private);
        }
        let mut items = Vec::new();
        for (name, value) in table {
            let line = self.line(name.span().start);
            let pattern = check::module_pattern(name.get_ref())
                .map_err(|problem| Error::value(self.source.at(line), key, problem))?;
            let value = self.private_row(key, pattern, value)?;
            items.push(Item { value, line });
        }
        Ok(Value::PrivateTable(items))
    }

    fn private_row(&self, key: Key, pattern: String, node: &Node<'_>) -> Result<Private, Error> {
        const KEYS: [&str; 4] = ["upstream", "direct", "hosts", "checksum-database"];
        let table = node.get_ref().as_table().ok_or_else(|| {
            self.expected(
                key,
                node,
                "{ upstream = \"https://…\", checksum-database = false }",
            )
        })?;
        let (mut transport, mut hosts) = (None, None);
        let mut row = Private {
            pattern,
            upstream: None,
            direct: None,
            checksum_database: false,
        };
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "upstream" => row.upstream = Some(self.text(key, value, check::upstreams)?),
                "direct" => {
                    transport = Some(self.word(key, value, &Transport::ALL, Transport::word)?);
                }
                "hosts" => hosts = Some(self.hosts(key, value)?),
                "checksum-database" => row.checksum_database = self.switch(key, value)?,
                other => {
                    return Err(Error::UnknownKey {
                        at: self.at(name.span().start),
                        what: "key",
                        name: format!("{key}.{other}"),
                        hint: did_you_mean(nearest(other, KEYS)),
                    });
                }
            }
        }
        row.direct = match (transport, hosts, &row.upstream) {
            (None, None, _) => None,
            (Some(_), _, Some(_)) => {
                let problem = "has both `upstream` and `direct`: leave one out";
                return Err(self.wrong(key, node, problem.to_owned()));
            }
            (None, Some(_), _) => {
                let problem = "has `hosts` without `direct`: add direct = \"https\"";
                return Err(self.wrong(key, node, problem.to_owned()));
            }
            (Some(transport), named, None) => {
                let hosts = match named {
                    Some(hosts) => Ok(hosts),
                    None => check::host_of_pattern(&row.pattern).map(|host| vec![host]),
                };
                let hosts = hosts.map_err(|problem| self.wrong(key, node, problem.0))?;
                Some(Direct { transport, hosts })
            }
        };
        Ok(row)
    }

    /// The hosts of repositories.
    fn hosts(&self, key: Key, node: &Node<'_>) -> Result<Vec<String>, Error> {
        let array = node.get_ref().as_array();
        let array = array.filter(|array| !array.is_empty());
        let array =
            array.ok_or_else(|| self.expected(key, node, "hosts = [\"git.example.com\"]"))?;
        array
            .iter()
            .map(|one| self.text(key, one, check::host))
            .collect()
    }

    pub(super) fn pins(
        &self,
        key: Key,
        node: &Node<'_>,
    ) -> Result<Vec<Item<(String, Pin)>>, Error> {
        let table = node.get_ref().as_table().ok_or_else(|| {
            self.expected(key, node, "a table, as in { \"https://…\" = \"sha256:…\" }")
        })?;
        let mut items = Vec::new();
        for (name, value) in table {
            let line = self.line(name.span().start);
            let upstream = check::pinned(name.get_ref())
                .map_err(|problem| Error::value(self.source.at(line), key, problem))?;
            let pin = self.text(key, value, check::pin)?;
            items.push(Item {
                value: (upstream, pin),
                line,
            });
        }
        Ok(items)
    }

    pub(super) fn variables(
        &self,
        key: Key,
        node: &Node<'_>,
    ) -> Result<Vec<Item<(String, String)>>, Error> {
        let table = node
            .get_ref()
            .as_table()
            .ok_or_else(|| self.expected(key, node, "a table, as in { NAME = \"value\" }"))?;
        let mut items = Vec::new();
        for (name, value) in table {
            let checked = check::variable(name.get_ref())
                .map_err(|problem| Error::value(self.at(name.span().start), key, problem))?;
            let text = self.text(key, value, |text| {
                if text.contains('\0') {
                    return Err(Problem("the value contains a zero byte".to_owned()));
                }
                Ok(text.to_owned())
            })?;
            items.push(Item {
                value: (checked, text),
                line: self.line(name.span().start),
            });
        }
        Ok(items)
    }

    /// Protected names, less those that no profile can remove.
    pub(super) fn protected(&self, key: Key, node: &Node<'_>) -> Result<Edit<PathBuf>, Error> {
        let edit = self.list(key, node, check::protected)?;
        if let Edit::Change { remove, .. } = &edit {
            let wrong = remove.iter().find(|item| is_always(&item.value));
            if let Some(Item { value, line }) = wrong {
                let problem = format!("`{}` is always protected: take it out", value.display());
                return Err(Error::value(self.source.at(*line), key, problem));
            }
        }
        Ok(edit)
    }

    /// Two versions of Go, or none.
    pub(super) fn range(
        &self,
        key: Key,
        node: &Node<'_>,
    ) -> Result<Option<(String, String)>, Error> {
        const WHAT: &str = "[\"OLDEST\", \"NEWEST\"] or \"none\"";
        let Some(array) = node.get_ref().as_array() else {
            return match node.get_ref().as_str() {
                Some("none") => Ok(None),
                _ => Err(self.wrong(key, node, format!("must be {WHAT}"))),
            };
        };
        let versions = array
            .iter()
            .map(|one| self.text(key, one, check::version))
            .collect::<Result<Vec<_>, _>>()?;
        match <[String; 2]>::try_from(versions) {
            Ok([oldest, newest]) if parts(&oldest) <= parts(&newest) => Ok(Some((oldest, newest))),
            Ok([oldest, newest]) => Err(self.wrong(
                key,
                node,
                format!("`{oldest}` is newer than `{newest}`: write the oldest first"),
            )),
            Err(_) => Err(self.wrong(key, node, format!("must be {WHAT}"))),
        }
    }
}

/// The parts of a version that `check::version` has let through.
fn parts(version: &str) -> Vec<u32> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}
