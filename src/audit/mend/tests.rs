use super::*;

#[test]
fn only_a_line_that_is_a_setting_and_nothing_else_becomes_a_comment() {
    for (content, line, expected) in [
        (
            "a=1\nexport GOSUMDB=off\nb=2\n",
            2,
            Some("a=1\n# gosandbox audit: export GOSUMDB=off\nb=2\n"),
        ),
        ("insecure\n", 1, Some("# gosandbox audit: insecure\n")),
        (
            "\tsslVerify = false",
            1,
            Some("# gosandbox audit: \tsslVerify = false"),
        ),
        ("[http] sslVerify = false\n", 1, None),
        ("export A=1; export GOSUMDB=off\n", 1, None),
        ("A=1 GOSUMDB=off\n", 1, None),
        ("GOSUMDB=off \\\n B=1\n", 1, None),
        ("x \\\nGOSUMDB=off\n", 2, None),
        ("if true; then GOSUMDB=off; fi\n", 1, None),
        ("A=\"GOSUMDB=off\n\"\n", 1, None),
        ("a=1\n", 2, None),
        ("a=1\n", 0, None),
    ] {
        let made = commented(content.as_bytes(), line);
        assert_eq!(made.as_deref(), expected.map(str::as_bytes), "{content:?}");
    }
}

#[test]
fn what_was_mended_and_taken_back_has_the_same_bytes_and_modes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, tool, state) = (
        folder.path().join("env"),
        folder.path().join("tool"),
        folder.path().join("state/audit"),
    );
    fs::write(&file, "GOSUMDB=off\r\nGOFLAGS=-toolexec=x\nGOPROXY=direct").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(&tool, "").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o6777)).unwrap();
    let uid = rustix::process::getuid().as_raw();
    let one = |code, path: &Path, line| Found::at(code, path, line, String::new());
    let found = [
        one(FindingCode::GoChecksumsOff, &file, Some(1)),
        one(FindingCode::GoFlagsDangerous, &file, Some(2)),
        one(FindingCode::SetIdProgram, &tool, None),
        one(FindingCode::WritableByOthers, &tool, None),
        one(FindingCode::ProxySet, &file, Some(3)),
    ];
    let all = mends(&found, uid);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(mends(&found, uid + 1), []);
    let before = fs::read(&file).unwrap();
    fix(&all, &state).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    let mended = fs::read_to_string(&file).unwrap();
    assert_eq!(
        mended,
        "# gosandbox audit: GOSUMDB=off\r\n# gosandbox audit: GOFLAGS=-toolexec=x\nGOPROXY=direct"
    );
    assert_eq!((mode(&file), mode(&tool)), (0o640, 0o755));
    undo(&state).unwrap();
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!((mode(&file), mode(&tool)), (0o640, 0o6777));
    assert!(matches!(undo(&state), Err(MendError::Nothing(_))));
    // Changed by somebody since: neither file is touched.
    fix(&all, &state).unwrap();
    fs::write(&file, "mine").unwrap();
    assert!(matches!(undo(&state), Err(MendError::Changed { .. })));
    assert_eq!(
        (fs::read_to_string(&file).unwrap().as_str(), mode(&tool)),
        ("mine", 0o755)
    );
}
