//! The person's word before something goes out at once. A client that can put a question to its person is asked to; with
//! any other the assistant is told a code that only an answer shows, and has to give it back. The code names the text: when
//! that was changed in between, the word counts no more. All of it travels with the requests, nothing is kept.

use super::told::Told;
use crate::domain::hash::hex;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What the question is called, in the request for an answer and in the answer.
pub(super) const QUESTION: &str = "confirm";

/// What a call brings of its person's word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    /// Whether the client can ask.
    pub(super) can_ask: bool,
    /// What the person answered, in the form of the protocol.
    pub(super) answer: Option<Value>,
    /// What they were asked about: the code that went out with the question.
    pub(super) state: Option<String>,
}

/// What to do with a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// The person agreed to this.
    Agreed,
    /// They did not.
    Declined,
    /// Nobody has asked them yet, or about something else.
    Unasked,
}

/// The code of an action on something as it stands.
pub(super) fn code(action: &str, about: &Value) -> String {
    let mut hasher = Sha256::new();
    hasher.update(json!([action, about]).to_string());
    let digest: [u8; 32] = hasher.finalize().into();
    hex(&digest[..4])
}

/// What of a post a word is about: anything of it that changes takes another word.
pub(super) fn stands(post: &Value) -> Value {
    let names = [
        "id",
        "status",
        "sub_status",
        "platform",
        "account_id",
        "options",
        "parts",
    ];
    names.map(|name| post[name].clone()).into_iter().collect()
}

impl Word {
    /// Whether the person agreed to what has that code.
    pub(super) fn verdict(&self, code: &str, arguments: &Map<String, Value>) -> Verdict {
        if arguments.get("confirm").and_then(Value::as_str) == Some(code) {
            return Verdict::Agreed;
        }
        let Some(answer) = self.answer.as_ref().filter(|_| self.state.as_deref() == Some(code)) else {
            return Verdict::Unasked;
        };
        match answer["action"].as_str() {
            Some("accept") if answer["content"]["agree"] == true => Verdict::Agreed,
            _ => Verdict::Declined,
        }
    }
}

/// The result that has the client ask its person.
pub(super) fn question(message: &str, code: &str) -> Value {
    json!({
        "resultType": "input_required",
        "inputRequests": {
            QUESTION: {
                "method": "elicitation/create",
                "params": {
                    "mode": "form",
                    "message": message,
                    "requestedSchema": {
                        "type": "object",
                        "properties": { "agree": { "type": "boolean", "title": "Yes, do it now", "default": false } },
                        "required": ["agree"],
                    },
                },
            },
        },
        "requestState": code,
    })
}

/// What an assistant is told that has to ask by itself.
pub(super) fn told_to_ask(message: &str, tool: &str, code: &str) -> Told {
    let next = format!(
        "show the person the text above and ask. Only if they say yes, call `{tool}` again with the same arguments and \
         `confirm`: \"{code}\"."
    );
    let text = format!("Not done yet. {message}\nNext: {next}");
    Told::new(
        text,
        json!({ "needs_confirmation": { "question": message, "confirm": code }, "next": next }),
    )
}

/// What an assistant is told whose person said no.
pub(super) fn declined() -> Told {
    let next = "leave it as it is; do not ask again unless the person brings it up.";
    let text = format!("Not done: the person did not agree.\nNext: {next}");
    Told::new(text, json!({ "declined": true, "next": next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_for_one_text() {
        let post = json!({"id": "P", "status": "draft", "parts": [{"text": "one"}]});
        let edited = json!({"id": "P", "status": "draft", "parts": [{"text": "two"}]});
        let shown = code("publish_post_now", &stands(&post));
        assert_eq!(shown.len(), 8);
        assert_ne!(shown, code("publish_post_now", &stands(&edited)));
        assert_ne!(shown, code("retry_post", &stands(&post)));
        let given = |code: &str| Map::from_iter([("confirm".to_owned(), json!(code))]);
        let nobody = Word::default();
        assert_eq!(nobody.verdict(&shown, &given(&shown)), Verdict::Agreed);
        for wrong in ["", "yes", "true"] {
            assert_eq!(nobody.verdict(&shown, &given(wrong)), Verdict::Unasked);
        }
        assert_eq!(
            nobody.verdict(&shown, &Map::from_iter([("confirm".to_owned(), json!(true))])),
            Verdict::Unasked
        );
    }

    #[test]
    fn an_answer_counts_for_the_question_that_was_asked() {
        let word = |answer: Value, state: &str| Word {
            can_ask: true,
            answer: Some(answer),
            state: Some(state.to_owned()),
        };
        let yes = json!({"action": "accept", "content": {"agree": true}});
        let none = Map::new();
        assert_eq!(word(yes.clone(), "c").verdict("c", &none), Verdict::Agreed);
        assert_eq!(word(yes, "of another text").verdict("c", &none), Verdict::Unasked);
        for no in [
            json!({"action": "accept", "content": {"agree": false}}),
            json!({"action": "accept"}),
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!("yes"),
        ] {
            assert_eq!(word(no.clone(), "c").verdict("c", &none), Verdict::Declined, "{no}");
        }
    }
}
