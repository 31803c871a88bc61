//! docs/deploy/containers.md. `tests/formats` runs the filter in runc, `tests/containers` the image in Podman.

use super::made;
use crate::examples::hold;

const PAGE: &str = "docs/deploy/containers.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn its_formats_are_made() {
    for format in ["oci-seccomp", "container"] {
        made(PAGE, format);
    }
}
