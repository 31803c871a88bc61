//! The module in the language of reference policies: .te and .if; its .fc is made with the contexts.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Statement, Target};

/// The .te file.
pub fn module(header: &[String], statements: &[Statement]) -> String {
    let mut text: String = header.iter().map(|line| format!("# {line}\n")).collect();
    text += "policy_module(gosandbox, 1.0)\n\n";
    text += &required(statements, "");
    write(&mut text, statements, 0);
    text
}

/// The .if file: what other modules may call.
pub fn interfaces(header: &[String]) -> String {
    let mut text: String = header.iter().map(|line| format!("# {line}\n")).collect();
    text += "\
## <summary>The sandbox for Go builds.</summary>

########################################
## <summary>Enter the domain of the go command.</summary>
## <param name=\"domain\"><summary>Domain allowed to transition.</summary></param>
#
interface(`gosandbox_domtrans',`
    gen_require(`
        type gosandbox_t, gosandbox_goroot_exec_t;
    ')
    allow $1 self:process setexec;
    allow $1 gosandbox_t:process transition;
    allow $1 gosandbox_t:process2 { nnp_transition nosuid_transition };
    allow $1 gosandbox_goroot_exec_t:file { execute getattr map open read };
    allow gosandbox_t $1:fd use;
    allow gosandbox_t $1:fifo_file { append getattr ioctl read write };
    allow gosandbox_t $1:process sigchld;
')

########################################
## <summary>Enter it in a role too.</summary>
## <param name=\"domain\"><summary>Domain allowed to transition.</summary></param>
## <param name=\"role\"><summary>Role allowed.</summary></param>
#
interface(`gosandbox_run',`
    gen_require(`
        type gosandbox_t, gosandbox_program_t, gosandbox_launched_t;
    ')
    gosandbox_domtrans($1)
    role $2 types { gosandbox_t gosandbox_program_t gosandbox_launched_t };
')
";
    text
}

/// The types of others that statements name outside of optional blocks.
fn required(statements: &[Statement], indent: &str) -> String {
    let (mut types, mut roles) = (BTreeSet::new(), BTreeSet::new());
    let (mut attributes, mut classes) = (BTreeSet::new(), BTreeMap::new());
    collect(
        statements,
        &mut types,
        &mut roles,
        &mut attributes,
        &mut classes,
    );
    let mut text = format!("{indent}gen_require(`\n");
    for one in types {
        text += &format!("{indent}    type {one};\n");
    }
    for one in attributes {
        text += &format!("{indent}    attribute {one};\n");
    }
    for one in roles {
        text += &format!("{indent}    role {one};\n");
    }
    for (class, permissions) in classes {
        let permissions: Vec<_> = BTreeSet::into_iter(permissions).collect();
        text += &format!(
            "{indent}    class {class} {{ {} }};\n",
            permissions.join(" ")
        );
    }
    text += &format!("{indent}')\n\n");
    text
}

type Names = BTreeSet<&'static str>;

fn collect(
    statements: &[Statement],
    types: &mut Names,
    roles: &mut Names,
    attributes: &mut Names,
    classes: &mut BTreeMap<&'static str, Names>,
) {
    let foreign = |name: &&'static str| !name.starts_with("gosandbox_") && *name != "self";
    for statement in statements {
        let names: Vec<&'static str> = match statement {
            Statement::Type(_, has) => {
                attributes.extend(has.iter().copied());
                Vec::new()
            }
            Statement::Role(role, _) => {
                roles.insert(*role);
                Vec::new()
            }
            Statement::Allow(source, target, class, permissions) => {
                classes
                    .entry(*class)
                    .or_default()
                    .extend(permissions.iter().copied());
                vec![*source, *target]
            }
            Statement::Never(_, _, class, permissions) => {
                classes
                    .entry(*class)
                    .or_default()
                    .extend(permissions.iter().copied());
                Vec::new()
            }
            Statement::Domain(source, program, _) => vec![*source, *program],
            Statement::New(source, folder, ..) | Statement::Named(source, folder, ..) => {
                vec![*source, *folder]
            }
            Statement::If(_, inside) => {
                collect(inside, types, roles, attributes, classes);
                Vec::new()
            }
            Statement::Comment(_) | Statement::Boolean(..) | Statement::Optional(..) => Vec::new(),
        };
        for name in names.into_iter().filter(foreign) {
            match ["_type", "_domain"].iter().any(|end| name.ends_with(end)) {
                true => attributes.insert(name),
                false => types.insert(name),
            };
        }
    }
}

fn write(text: &mut String, statements: &[Statement], depth: usize) {
    let indent = "    ".repeat(depth);
    for statement in statements {
        match statement {
            Statement::If(name, inside) => {
                *text += &format!("{indent}if ({name}) {{\n");
                write(text, inside, depth + 1);
                *text += &format!("{indent}}}\n");
            }
            Statement::Optional(_, inside) => {
                *text += &format!("{indent}optional {{\n");
                *text += &required(inside, &"    ".repeat(depth + 1))
                    .replace("gen_require(`", "require {")
                    .replace("')\n\n", "}\n\n");
                write(text, inside, depth + 1);
                *text += &format!("{indent}}}\n");
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
    let braced = |permissions: &[&str]| format!("{{ {} }}", permissions.join(" "));
    match statement {
        Statement::Comment(words) => vec![String::new(), format!("# {words}")],
        Statement::Type(name, attributes) => match inside {
            true => attributes
                .iter()
                .map(|one| format!("typeattribute {name} {one};"))
                .collect(),
            false => vec![format!("type {name}, {};", attributes.join(", "))],
        },
        Statement::Boolean(name, on) => vec![format!("bool {name} {on};")],
        Statement::Role(role, name) => vec![format!("role {role} types {name};")],
        Statement::Allow(source, target, class, permissions) => {
            vec![format!(
                "allow {source} {target}:{class} {};",
                braced(permissions)
            )]
        }
        Statement::Never(source, target, class, permissions) => {
            let target = match target {
                Target::Type(name) => (*name).to_owned(),
                Target::Itself => "self".to_owned(),
                Target::AllBut(names) => format!("~{{ {} }}", names.join(" ")),
            };
            vec![format!(
                "neverallow {source} {target}:{class} {};",
                braced(permissions)
            )]
        }
        Statement::Domain(source, program, domain) => {
            vec![format!(
                "type_transition {source} {program}:process {domain};"
            )]
        }
        Statement::New(source, folder, class, name) => {
            vec![format!("type_transition {source} {folder}:{class} {name};")]
        }
        Statement::Named(source, folder, class, file, name) => {
            vec![format!(
                "type_transition {source} {folder}:{class} {name} \"{file}\";"
            )]
        }
        Statement::If(..) | Statement::Optional(..) => Vec::new(),
    }
}
