//! Just enough of JSON Schema to check our requests against X's OpenAPI documents. A keyword that is not known here
//! fails the test rather than being passed over.

use psn::ports::http::HttpRequest;
use serde_json::Value;

pub struct Spec {
    document: Value,
}

impl Spec {
    pub fn old() -> Self {
        Self::parse(include_str!("../specs/x/openapi-2.159.json"))
    }

    pub fn new() -> Self {
        Self::parse(include_str!("../specs/x/openapi-2.167.json"))
    }

    fn parse(text: &str) -> Self {
        Self {
            document: serde_json::from_str(text).unwrap(),
        }
    }

    /// Every way in which the request differs from its operation.
    pub fn check(&self, request: &HttpRequest) -> Vec<String> {
        let address = request
            .url
            .strip_prefix("http://x.test")
            .expect("the configured origin");
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let method = request.method.as_str().to_ascii_lowercase();
        let paths = self.document["paths"].as_object().unwrap();
        let found = paths
            .iter()
            .find_map(|(template, item)| Some((match_path(template, path)?, item.get(&method)?)));
        let Some((in_path, operation)) = found else {
            return vec![format!("no operation {method} {path}")];
        };
        let mut wrong = Vec::new();
        let given: Vec<(&str, &str)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        let declared: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        for parameter in &declared {
            let name = parameter["name"].as_str().unwrap();
            let value = match parameter["in"].as_str().unwrap() {
                "path" => in_path
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.as_str()),
                _ => given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
            };
            match value {
                Some(value) => {
                    let schema = self.resolve(&parameter["schema"]);
                    self.validate(schema, &read_parameter(schema, value), name, &mut wrong);
                }
                None if parameter["required"] == true => wrong.push(format!("`{name}` is missing")),
                None => {}
            }
        }
        for (name, _) in given {
            if !declared
                .iter()
                .any(|parameter| parameter["name"] == name && parameter["in"] == "query")
            {
                wrong.push(format!("`{name}` is not a parameter"));
            }
        }
        match operation.get("requestBody") {
            Some(body) => match serde_json::from_slice(&request.body) {
                Ok(value) => {
                    self.validate(
                        &body["content"]["application/json"]["schema"],
                        &value,
                        "body",
                        &mut wrong,
                    );
                }
                Err(error) => wrong.push(format!("body: {error}")),
            },
            None if !request.body.is_empty() => wrong.push("a body where none belongs".to_owned()),
            None => {}
        }
        wrong
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let target = self.document.pointer(reference.trim_start_matches('#'));
                self.resolve(target.unwrap_or_else(|| panic!("no {reference}")))
            }
            None => schema,
        }
    }

    fn validate(&self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let schema = self.resolve(schema);
        let mut fail = |what: String| wrong.push(format!("{at}: {what}"));
        let length = value.as_str().map_or(0, |text| text.chars().count());
        let items = value.as_array().map_or(0, Vec::len);
        for (keyword, rule) in schema.as_object().unwrap() {
            let bound = usize::try_from(rule.as_i64().unwrap_or(0)).unwrap_or(0);
            let fits = match keyword.as_str() {
                "type" => match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    other => panic!("type `{other}` is not known here"),
                },
                "enum" => rule.as_array().unwrap().contains(value),
                "pattern" => value
                    .as_str()
                    .is_none_or(|text| matches_pattern(rule.as_str().unwrap(), text)),
                "minLength" => !value.is_string() || length >= bound,
                "maxLength" => !value.is_string() || length <= bound,
                "minItems" => !value.is_array() || items >= bound,
                "maxItems" => !value.is_array() || items <= bound,
                "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
                "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
                "uniqueItems" => value
                    .as_array()
                    .is_none_or(|all| (1..all.len()).all(|n| !all[..n].contains(&all[n]))),
                "required" => rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| value.get(name.as_str().unwrap()).is_some()),
                "additionalProperties" => {
                    assert_eq!(rule, false, "only `false` is known here");
                    let known = schema["properties"].as_object().unwrap();
                    value
                        .as_object()
                        .is_none_or(|all| all.keys().all(|name| known.contains_key(name)))
                }
                "properties" | "items" | "format" | "default" | "title" | "description" | "nullable" => true,
                other => panic!("keyword `{other}` is not known here"),
            };
            if !fits {
                fail(format!("`{keyword}` is {rule}, value {value}"));
            }
        }
        for (name, schema) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if let Some(value) = value.get(name) {
                self.validate(schema, value, &format!("{at}.{name}"), wrong);
            }
        }
        if let (Some(schema), Some(items)) = (schema.get("items"), value.as_array()) {
            for item in items {
                self.validate(schema, item, &format!("{at}[]"), wrong);
            }
        }
    }
}

/// The values of a path template's parameters.
fn match_path(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let mut values = Vec::new();
    for (wanted, given) in template.iter().zip(&path) {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => values.push((name.to_owned(), (*given).to_owned())),
            None if wanted == given => {}
            None => return None,
        }
    }
    (template.len() == path.len()).then_some(values)
}

/// A parameter's text as the value that its schema speaks of.
fn read_parameter(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("array") => text.split(',').map(Value::from).collect(),
        Some("integer") => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        _ => Value::from(text),
    }
}

/// The patterns of the extracts: a number of characters of one class.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (class, range) = pattern
        .trim_start_matches('^')
        .trim_end_matches('$')
        .split_once('{')
        .unwrap();
    let (least, most) = range.trim_end_matches('}').split_once(',').unwrap();
    let fits = match class {
        "[0-9]" => text.bytes().all(|byte| byte.is_ascii_digit()),
        other => panic!("class `{other}` is not known here"),
    };
    fits && (least.parse().unwrap()..=most.parse().unwrap()).contains(&text.len())
}
