//! Models that were split into several files: any part leads to all of them, and what does not belong together is refused.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use whimbrel_forge::synthetic::Synthetic;
use whimbrel_forge::{ForgeError, Gguf, ImportOptions, ModelFile, import};

fn small() -> Synthetic {
    Synthetic {
        vocabulary: 300,
        ..Synthetic::default()
    }
}

/// Writes the parts beside each other and returns their paths.
fn write(folder: &Path, parts: &[Vec<u8>]) -> Vec<PathBuf> {
    let name = |number: usize| format!("small-{number:05}-of-{:05}.gguf", parts.len());
    let paths: Vec<_> = (1..=parts.len()).map(|number| folder.join(name(number))).collect();
    for (path, part) in paths.iter().zip(parts) {
        fs::write(path, part).unwrap();
    }
    paths
}

fn import_from(source: &Path) -> Result<PathBuf, ForgeError> {
    let output = source.with_extension("bundle");
    let options = ImportOptions {
        source: source.to_owned(),
        output: output.clone(),
        ..ImportOptions::default()
    };
    import(&options, &mut |_| ())?;
    Ok(output)
}

fn weights(bundle: &Path) -> Vec<u8> {
    fs::read(bundle.join("f32/weights.bin")).unwrap()
}

#[test]
fn any_part_leads_to_the_same_bundle_as_the_whole_file() {
    let desk = tempfile::tempdir().unwrap();
    let whole = desk.path().join("small.gguf");
    fs::write(&whole, small().to_gguf()).unwrap();
    let expected = weights(&import_from(&whole).unwrap());
    for count in [1, 2, 3, 7] {
        let folder = desk.path().join(count.to_string());
        fs::create_dir(&folder).unwrap();
        let paths = write(&folder, &small().to_gguf_parts(count));
        let manifests: Vec<_> = paths
            .iter()
            .map(|path| {
                let bundle = import_from(path).unwrap();
                assert_eq!(weights(&bundle), expected, "{}", path.display());
                fs::read(bundle.join("manifest.json")).unwrap()
            })
            .collect();
        assert!(manifests.iter().all(|manifest| *manifest == manifests[0]));
        let text = String::from_utf8(manifests[0].clone()).unwrap();
        let name = if count == 1 {
            "small-00001-of-00001.gguf"
        } else {
            "small.gguf"
        };
        assert!(text.contains(&format!("\"file\": \"{name}\"")), "{text}");
        let size: usize = small().to_gguf_parts(count).iter().map(Vec::len).sum();
        assert!(text.contains(&format!("\"bytes\": {size}")), "{text}");
    }
}

#[test]
fn a_missing_part_is_told_by_its_name() {
    let desk = tempfile::tempdir().unwrap();
    let paths = write(desk.path(), &small().to_gguf_parts(3));
    for missing in [1, 2, 0] {
        let content = fs::read(&paths[missing]).unwrap();
        fs::remove_file(&paths[missing]).unwrap();
        for named in (0..3).filter(|named| *named != missing) {
            match import_from(&paths[named]) {
                Err(ForgeError::PartMissing { path, number, count }) => {
                    assert_eq!((path, number, count), (paths[missing].clone(), missing as u32 + 1, 3));
                }
                other => panic!("{other:?}"),
            }
        }
        fs::write(&paths[missing], content).unwrap();
    }
    // Nothing was written beside the parts.
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 3);
}

/// Imports from parts changed in some way, and expects an error about the part with this number that says this.
fn check(change: impl FnOnce(&mut Vec<Vec<u8>>), number: usize, says: &str) {
    let desk = tempfile::tempdir().unwrap();
    let mut parts = small().to_gguf_parts(3);
    change(&mut parts);
    let paths = write(desk.path(), &parts);
    let error = import_from(&paths[0]).unwrap_err();
    let path = match &error {
        ForgeError::PartForeign { path, .. } | ForgeError::Part { path, .. } => path.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(path, paths[number - 1]);
    let text = whimbrel_files::message(&error);
    assert!(text.contains(says), "{text}");
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), parts.len());
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let deeper = Synthetic { layers: 3, ..small() };
    check(
        |parts| parts.swap(1, 2),
        2,
        "it says that it is part 3 of 3, not part 2 of 3",
    );
    check(|parts| parts[2] = parts[0].clone(), 3, "part 1 of 3, not part 3");
    check(
        |parts| parts[1] = small().to_gguf_parts(4)[1].clone(),
        2,
        "part 2 of 4, not part 2 of 3",
    );
    check(|parts| parts.truncate(2), 1, "part 1 of 3, not part 1 of 2");
    check(|parts| parts[1] = small().to_gguf(), 2, "part 1 of 1");
    check(
        |parts| parts[2] = deeper.to_gguf_parts(3)[2].clone(),
        3,
        "another number of tensors",
    );
    check(|parts| parts[1].truncate(100), 2, "bytes needed");
    check(|parts| parts[2] = b"hello".to_vec(), 3, "not a GGUF file");
}

#[test]
fn tensors_are_counted_over_all_parts() {
    let parts = small().to_gguf_parts(2);
    let parse = |part: &'static [u8]| Gguf::parse(part).unwrap();
    let leak = |part: &[u8]| -> &'static [u8] { Box::leak(part.to_vec().into_boxed_slice()) };
    let (first, second) = (leak(&parts[0]), leak(&parts[1]));
    let joined = Gguf::join(vec![parse(first), parse(second)]).unwrap();
    assert_eq!(joined.tensors().len(), 2 * 9 + 3);
    assert_eq!(joined.value("split.count"), None);
    assert_eq!(joined.text("general.architecture").unwrap(), Some("llama"));
    assert!(Gguf::join(Vec::new()).is_err());
    let error = Gguf::join(vec![parse(second), parse(first)]).err().unwrap();
    assert_eq!(error.index, 0);
    // The same tensors again, under the right number.
    let mut twice = first.to_vec();
    let key = b"split.no";
    let at = twice.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    twice[at] = 1;
    let error = Gguf::join(vec![parse(first), parse(leak(&twice))]).err().unwrap();
    assert!(error.to_string().contains("is in an earlier part too"), "{error}");
}

#[test]
fn a_whole_file_may_be_called_like_a_part() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("small-00001-of-00002.gguf");
    fs::write(&path, small().to_gguf()).unwrap();
    assert_eq!(ModelFile::open(&path).unwrap().paths().count(), 1);
    import_from(&path).unwrap();
}
