//! Files whose texts are odd: names, licences, templates, and parts of files that were split.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Desk, small};
use whimbrel_engine::{ChatTemplate, EngineError, verify};
use whimbrel_forge::{ForgeError, ImportOptions, Notice, TemplateChoice, TemplateFallback, import_with_notices};

/// Imports a small model with these texts, and returns the bundle's name, its licence and what was noticed.
fn import(texts: &[(&str, &str)]) -> (Desk, String, String, Vec<Notice>) {
    let desk = Desk::new(&small().to_gguf_with(texts, &[]));
    let mut notices = Vec::new();
    let manifest = import_with_notices(&desk.options(), &mut |_| (), &mut |notice| notices.push(notice)).unwrap();
    verify(&desk.output()).unwrap();
    (desk, manifest.name, manifest.licence.spdx, notices)
}

#[test]
fn a_name_that_is_none_gives_way_to_the_files() {
    let long = "x".repeat(300);
    for (name, expected) in [
        ("", "model"),
        ("  ", "model"),
        ("a\nb", "model"),
        (&long, "model"),
        (" Own ", "Own"),
    ] {
        assert_eq!(import(&[("general.name", name)]).1, expected, "{name:?}");
    }
}

#[test]
fn a_licence_called_other_is_the_one_named_beside_it() {
    let licence = |licence: &str, name: &str| import(&[("general.license", licence), ("general.license.name", name)]).2;
    assert_eq!(licence("other", "llama3.2"), "LicenseRef-llama3.2");
    assert_eq!(licence("Other", "MIT"), "MIT");
    assert_eq!(licence("other", ""), "unknown");
    assert_eq!(licence("mit", "llama3.2"), "MIT");
}

#[test]
fn a_template_that_cannot_be_used_is_replaced_and_said() {
    let (desk, _, _, notices) = import(&[("tokenizer.chat_template", "{{ if .System }}{{ .System }}{{ end }}")]);
    let [Notice::Template { reason, fallback }] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert_eq!(*fallback, TemplateFallback::ChatMl);
    assert!(reason.starts_with("line 1: syntax error"), "{reason}");
    let template = std::fs::read_to_string(desk.output().join("chat_template.jinja")).unwrap();
    assert!(ChatTemplate::new(&template).unwrap().takes_system());
    let said = notices[0].to_string();
    assert!(said.contains("ChatML"), "{said}");
}

#[test]
fn a_template_that_always_fails_is_replaced_and_said() {
    for (own, expected) in [
        (
            "\n{{ functions.names }}",
            "line 2: undefined value, in `functions.names`",
        ),
        (
            "{{ raise_exception('tools only') }}",
            "line 1: invalid operation: tools only",
        ),
        ("{{ messages[0].role }}", "the text does not contain the question"),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "out of fuel",
        ),
        (
            "{{ 'x' | indent(4000000000) }}{{ 'a\nb' | indent(4000000000) }}",
            "line",
        ),
    ] {
        let (_, _, _, notices) = import(&[("tokenizer.chat_template", own)]);
        let [Notice::Template { reason, fallback }] = &notices[..] else {
            panic!("{own}: {notices:?}");
        };
        assert_eq!(*fallback, TemplateFallback::ChatMl);
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_template_can_be_given_or_left_out() {
    let desk = Desk::new(&small().to_gguf_with(&[("tokenizer.chat_template", "{% broken")], &[]));
    let import = |chat_template| {
        let options = ImportOptions {
            chat_template,
            replace: true,
            ..desk.options()
        };
        import_with_notices(&options, &mut |_| (), &mut |notice| panic!("{notice}"))
    };
    let given = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}";
    let manifest = import(TemplateChoice::Given(given.into())).unwrap();
    assert_eq!(manifest.task, "chat");
    let kept = std::fs::read_to_string(desk.output().join("chat_template.jinja")).unwrap();
    assert_eq!(kept, given);
    let manifest = import(TemplateChoice::None).unwrap();
    assert_eq!((manifest.task.as_str(), manifest.chat_template), ("text", None));
    for wrong in ["{% if %}", "{{ frob() }}"] {
        let error = import(TemplateChoice::Given(wrong.into())).unwrap_err();
        assert!(
            matches!(error, ForgeError::Engine(EngineError::Template { .. })),
            "{error}"
        );
    }
}

#[test]
fn a_template_without_a_system_role_is_said() {
    let own = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}";
    let (desk, _, _, notices) = import(&[("tokenizer.chat_template", own)]);
    assert_eq!(notices, [Notice::NoSystemRole]);
    let kept = std::fs::read_to_string(desk.output().join("chat_template.jinja")).unwrap();
    assert_eq!(kept, own);
}

#[test]
fn one_part_of_a_split_file_is_refused_by_name() {
    let desk = Desk::new(&small().to_gguf_with(&[], &[("split.no", 0), ("split.count", 2)]));
    match desk.import() {
        Err(ForgeError::Unsupported { what, found, .. }) => assert_eq!((what, found.as_str()), ("file", "part 1 of 2")),
        other => panic!("{other:?}"),
    }
    let whole = Desk::new(&small().to_gguf_with(&[], &[("split.no", 0), ("split.count", 1)]));
    whole.import().unwrap();
}
