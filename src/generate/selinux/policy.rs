//! The rules, as statements: this file is their order.

use super::base::{base, read_files};
use super::cages::{created, loopback, program, tool};
use super::edges::{callers, never};
use super::names::*;
use super::statement::Statement::{self, Boolean, Comment, Optional, Type};
use crate::generate::Model;
use crate::policy::TreeAccess;

/// Every statement of the module.
pub fn statements(model: &Model<'_>) -> Vec<Statement> {
    let mut all = vec![
        Comment("domains and types"),
        Type(TOOL, &["domain"]),
        Type(PROGRAM, &["domain"]),
        Type(LAUNCHED, &["domain"]),
        Boolean(
            "gosandbox_programs_write_work",
            model.policy.files.test == TreeAccess::Write,
        ),
        Boolean(
            "gosandbox_tool_network",
            !model.policy.network.allow.is_empty(),
        ),
        Boolean("gosandbox_attach", false),
    ];
    all.extend(FILES.map(|name| match name {
        GOROOT_EXEC | EXEC | CACHE | WORK | TESTDATA | TMP | PROGRAM_TMP | PROGRAM_CACHE => {
            Type(name, &["file_type", "entry_type"])
        }
        _ => Type(name, &["file_type"]),
    }));
    all.push(Optional(
        "gosandbox_mcs",
        DOMAINS
            .map(|domain| Type(domain, &["mcs_constrained_type"]))
            .into(),
    ));
    for domain in DOMAINS {
        base(&mut all, domain);
        all.extend(read_files(domain));
    }
    tool(&mut all);
    for domain in PROGRAMS {
        program(&mut all, domain, model.policy.files.test);
    }
    loopback(&mut all);
    created(&mut all, model);
    callers(&mut all);
    never(&mut all);
    all
}
