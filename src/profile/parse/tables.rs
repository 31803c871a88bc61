//! The tables of `[modules]`: private patterns and what holds for each, pinned upstreams.

use super::super::check;
use super::super::error::did_you_mean;
use super::super::setting::{Item, Private, Value};
use super::super::{Error, Key, nearest};
use super::{Node, Reader};
use crate::policy::Pin;

impl Reader<'_> {
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
        const KEYS: [&str; 2] = ["upstream", "checksum-database"];
        let table = node.get_ref().as_table().ok_or_else(|| {
            self.expected(
                key,
                node,
                "{ upstream = \"https://…\", checksum-database = false }",
            )
        })?;
        let mut row = Private {
            pattern,
            upstream: None,
            checksum_database: false,
        };
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "upstream" => row.upstream = Some(self.text(key, value, check::upstreams)?),
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
        Ok(row)
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
}
