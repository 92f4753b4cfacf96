//! The form of a Rust type: the JSON schema that schemars makes of it, changed to what an engine can hold.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use whimbrel_engine::Form;

use crate::ClientError;

/// The largest whole number up to which every reader of JSON agrees (RFC 8259, section 6).
const INTEGER_MAX: i64 = (1 << 53) - 1;
/// The formats of strings that an engine can hold.
const STRING_FORMATS: [&str; 10] = [
    "date",
    "time",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
    "uri",
];

/// The form that holds an answer to a type: JSON that the type can be read from.
///
/// The schema is the one of [`JsonSchema`], with what serde's and schemars' attributes say, and some differences:
///
/// - an object has no other properties than those of its type
/// - whole numbers have the range of their type, those of 64 bits and more the range in which all readers of JSON agree (up to 2⁵³ - 1)
/// - `oneOf` becomes `anyOf`, `uniqueItems` and formats that cannot be held are left out: what they say is left to serde
///
/// # Errors
/// [`ClientError::Engine`] if the schema says something else that cannot be held, or is too large.
///
/// ```
/// use schemars::JsonSchema;
/// use whimbrel_client::{Form, form_of};
///
/// #[derive(JsonSchema)]
/// struct Person {
///     #[schemars(length(max = 40))]
///     name: String,
///     age: Option<u8>,
/// }
///
/// let Form::JsonSchema(schema) = form_of::<Person>()? else { unreachable!("types have schemas") };
/// assert!(schema.contains(r#""maxLength":40"#) && schema.contains(r#""required":["name"]"#));
/// # Ok::<(), whimbrel_client::ClientError>(())
/// ```
pub fn form_of<T: JsonSchema>() -> Result<Form, ClientError> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        // Keywords beside a reference cannot always be held.
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    fit(&mut schema, true);
    let form = Form::JsonSchema(schema.to_string());
    form.validate()?;
    Ok(form)
}

/// Changes a schema to what can be held. `is_whole` is false for one of several that describe the same object together.
fn fit(schema: &mut Value, is_whole: bool) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    let is_whole = is_whole && !has_branches_beside_properties(keywords);
    fit_number(keywords);
    keywords.retain(|keyword, value| match keyword.as_str() {
        "title" | "default" | "examples" | "uniqueItems" | "writeOnly" | "readOnly" | "deprecated" => false,
        "format" => value.as_str().is_some_and(|format| STRING_FORMATS.contains(&format)),
        _ => true,
    });
    // The order stays: it is the order in which properties are written.
    *keywords = std::mem::take(keywords)
        .into_iter()
        .map(|(keyword, value)| match keyword.as_str() {
            "oneOf" => ("anyOf".to_owned(), value),
            _ => (keyword, value),
        })
        .collect();
    if is_whole && keywords.contains_key("properties") {
        keywords.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values_mut().for_each(|schema| fit(schema, true));
            }
            ("anyOf" | "allOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| fit(schema, is_whole));
            }
            ("prefixItems", Value::Array(schemas)) => schemas.iter_mut().for_each(|schema| fit(schema, true)),
            ("items" | "additionalProperties", schema) => fit(schema, true),
            _ => {}
        }
    }
}

/// Whether branches say more about an object that has properties: none of them knows the others' names.
fn has_branches_beside_properties(keywords: &Map<String, Value>) -> bool {
    let has_branches = ["anyOf", "oneOf", "allOf"]
        .iter()
        .any(|keyword| keywords.contains_key(*keyword));
    keywords.contains_key("allOf") || (keywords.contains_key("properties") && has_branches)
}

/// Gives a whole number the range that its format stands for.
fn fit_number(keywords: &mut Map<String, Value>) {
    let (least, most) = match keywords.get("format").and_then(Value::as_str) {
        Some("int8") => (i8::MIN.into(), i8::MAX.into()),
        Some("int16") => (i16::MIN.into(), i16::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("int64" | "int128" | "int") => (-INTEGER_MAX, INTEGER_MAX),
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64" | "uint128" | "uint") => (0, INTEGER_MAX),
        _ => return,
    };
    let range = [
        ("minimum", "exclusiveMinimum", least),
        ("maximum", "exclusiveMaximum", most),
    ];
    for (keyword, exclusive, limit) in range {
        if !keywords.contains_key(exclusive) {
            keywords.entry(keyword).or_insert(Value::from(limit));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "the types are there for their schemas")]

    use std::collections::{BTreeMap, BTreeSet};

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Product {
        /// With a documentation, which makes it a branch of its own.
        Phone,
        Laptop,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "type")]
    enum Contact {
        Mail { address: String },
        Call(Number),
        None,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Number {
        digits: u64,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Everything {
        product: Product,
        #[serde(default)]
        count: u32,
        contact: Contact,
        pair: (bool, i8),
        tags: BTreeSet<String>,
        notes: BTreeMap<String, Option<f32>>,
        #[schemars(range(min = 1, max = 5))]
        stars: i64,
        #[serde(flatten)]
        more: Number,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Tree {
        name: char,
        children: Vec<Tree>,
    }

    fn schema_of<T: JsonSchema>() -> Value {
        match form_of::<T>().expect("it can be held") {
            Form::JsonSchema(schema) => serde_json::from_str(&schema).expect("it is JSON"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn types_become_what_can_be_held() {
        let number = json!({"type": "integer", "minimum": 0, "maximum": INTEGER_MAX});
        let schema = schema_of::<Everything>();
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(
            schema["required"],
            json!(["product", "contact", "pair", "tags", "notes", "stars", "digits"])
        );
        let properties = &schema["properties"];
        let names: Vec<_> = properties.as_object().expect("an object").keys().collect();
        assert_eq!(
            names,
            [
                "product", "count", "contact", "pair", "tags", "notes", "stars", "digits"
            ]
        );
        assert_eq!(properties["digits"], number);
        assert_eq!(
            properties["count"],
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
        );
        assert_eq!(
            properties["stars"],
            json!({"type": "integer", "minimum": 1, "maximum": 5})
        );
        assert_eq!(
            properties["tags"],
            json!({"type": "array", "items": {"type": "string"}})
        );
        let call = &properties["contact"]["anyOf"][1];
        assert_eq!(
            *call,
            json!({
                "type": "object",
                "properties": {"type": {"type": "string", "const": "Call"}, "digits": number},
                "required": ["type", "digits"],
                "additionalProperties": false,
            })
        );
        schema_of::<Tree>();
        schema_of::<Vec<Option<Product>>>();
    }

    #[test]
    fn what_cannot_be_held_is_refused_by_name() {
        #[derive(JsonSchema)]
        #[schemars(extend("not" = {"type": "null"}))]
        struct Never {
            name: String,
        }
        let error = form_of::<Never>().expect_err("`not` cannot be held").to_string();
        assert!(error.contains("not cannot be enforced"), "{error}");
    }
}
