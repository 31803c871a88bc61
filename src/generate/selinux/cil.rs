//! The module in CIL, the language that semodule loads as it is.

use super::contexts::Context;
use super::statement::{Statement, Target};

/// The whole module, file contexts included.
pub fn module(header: &[String], statements: &[Statement], contexts: &[Context]) -> String {
    let mut text: String = header.iter().map(|line| format!("; {line}\n")).collect();
    text.push('\n');
    write(&mut text, statements, 0);
    text += "\n; labels\n";
    for context in contexts {
        text += &format!(
            "(filecon \"{}\" {} (system_u object_r {} ((s0) (s0))))\n",
            context.pattern,
            context.kind.cil(),
            context.name
        );
    }
    text
}

fn write(text: &mut String, statements: &[Statement], depth: usize) {
    let indent = "    ".repeat(depth);
    for statement in statements {
        match statement {
            Statement::If(name, inside) => {
                *text += &format!("{indent}(booleanif {name}\n{indent}    (true\n");
                write(text, inside, depth + 2);
                *text += &format!("{indent}    )\n{indent})\n");
            }
            Statement::Optional(name, inside) => {
                *text += &format!("{indent}(optional {name}\n");
                write(text, inside, depth + 1);
                *text += &format!("{indent})\n");
            }
            other => {
                for line in lines(other, depth > 0) {
                    *text += &format!("{indent}{line}\n");
                }
            }
        }
    }
}

fn lines(statement: &Statement, inside: bool) -> Vec<String> {
    match statement {
        Statement::Comment(words) => vec![String::new(), format!("; {words}")],
        Statement::Type(name, attributes) => {
            let mut lines = match inside {
                true => Vec::new(),
                false => vec![
                    format!("(type {name})"),
                    format!("(roletype object_r {name})"),
                ],
            };
            lines.extend(
                attributes
                    .iter()
                    .map(|one| format!("(typeattributeset {one} ({name}))")),
            );
            lines
        }
        Statement::Boolean(name, on) => vec![format!("(boolean {name} {on})")],
        Statement::Role(role, name) => vec![format!("(roletype {role} {name})")],
        Statement::Allow(source, target, class, permissions) => {
            vec![format!(
                "(allow {source} {target} ({class} ({})))",
                permissions.join(" ")
            )]
        }
        Statement::Never(source, target, class, permissions) => {
            never(source, *target, class, permissions)
        }
        Statement::Domain(source, program, domain) => {
            vec![format!(
                "(typetransition {source} {program} process {domain})"
            )]
        }
        Statement::New(source, folder, class, name) => {
            vec![format!("(typetransition {source} {folder} {class} {name})")]
        }
        Statement::Named(source, folder, class, file, name) => {
            vec![format!(
                "(typetransition {source} {folder} {class} \"{file}\" {name})"
            )]
        }
        Statement::If(..) | Statement::Optional(..) => Vec::new(),
    }
}

fn never(source: &str, target: Target, class: &str, permissions: &[&str]) -> Vec<String> {
    let permissions = permissions.join(" ");
    match target {
        Target::Type(name) => vec![format!(
            "(neverallow {source} {name} ({class} ({permissions})))"
        )],
        Target::Itself => vec![format!(
            "(neverallow {source} self ({class} ({permissions})))"
        )],
        Target::AllBut(names) => {
            // A set has a name of its own in CIL.
            let set = format!("{source}_not_{}", class);
            vec![
                format!("(typeattribute {set})"),
                format!(
                    "(typeattributeset {set} (and (all) (not ({}))))",
                    names.join(" ")
                ),
                format!("(neverallow {source} {set} ({class} ({permissions})))"),
            ]
        }
    }
}
