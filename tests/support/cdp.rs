//! The Chrome DevTools Protocol, over the browser's own pipe.
//!
//! The crates that speak it attach to pages and leave workers out, but these tests must see every request
//! that a worker or service worker makes. The pipe needs no more than JSON: each message ends in a zero
//! byte. It also ties the browser's life to the test's, for Chromium ends when its pipe closes.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PATIENCE;

/// One end of the pipe. Every page and worker has a session of its own; the browser's is "".
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    commands: Mutex<Commands>,
    state: Mutex<State>,
    changed: Condvar,
}

struct Commands {
    pipe: ChildStdin,
    last_id: u64,
}

#[derive(Default)]
struct State {
    closed: bool,
    answers: HashMap<u64, Value>,
    /// Every address asked for, by any page or worker.
    requests: Vec<String>,
    /// (session, request) of what has not been answered yet, and its address.
    in_flight: HashMap<(String, String), String>,
    last_network_event: Option<Instant>,
    /// Sessions of the workers that run.
    workers: Vec<String>,
    /// Sessions that have ended: what they were asked is never answered.
    ended: HashSet<String>,
    /// Console messages and uncaught exceptions, for the message of a failed test.
    console: Vec<String>,
}

impl Connection {
    pub fn open(commands: ChildStdin, events: ChildStdout) -> Connection {
        let connection = Connection(Arc::new(Shared {
            commands: Mutex::new(Commands { pipe: commands, last_id: 0 }),
            state: Mutex::default(),
            changed: Condvar::new(),
        }));
        let reader = connection.clone();
        std::thread::spawn(move || reader.read(events));
        // Service workers outlive their pages and belong to the browser. Not its other pages, though:
        // Chromium's own windows are pages as well.
        let filter = json!([{ "type": "service_worker" }, { "type": "shared_worker" }, { "exclude": true }]);
        let mut workers = auto_attach();
        workers["filter"] = filter;
        connection.call("", "Target.setAutoAttach", workers);
        connection
    }

    /// Sends a command and waits for its result.
    pub fn try_call(&self, session: &str, method: &str, params: Value) -> Result<Value, String> {
        let id = self.send(session, method, params);
        let mut answer = self
            .wait(|state| {
                let ended = || {
                    state.ended.contains(session).then(|| json!({ "error": { "message": "it has ended" } }))
                };
                state.answers.remove(&id).or_else(ended)
            })
            .ok_or_else(|| format!("{method}: the browser has ended, or does not answer"))?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {}", error["message"])),
            None => Ok(answer["result"].take()),
        }
    }

    pub fn call(&self, session: &str, method: &str, params: Value) -> Value {
        self.try_call(session, method, params).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opens an empty page; returns its session.
    pub fn open_page(&self) -> String {
        let target = self.call("", "Target.createTarget", json!({ "url": "about:blank" }));
        let to = json!({ "targetId": target["targetId"], "flatten": true });
        text(&self.call("", "Target.attachToTarget", to)["sessionId"])
    }

    /// The sessions of the pages' workers that run.
    pub fn workers(&self) -> Vec<String> {
        self.state().workers.clone()
    }

    /// Every address asked for since the browser started, by any page or worker.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// True when no request is under way and none has been for a while.
    pub fn is_quiet(&self, a_while: Duration) -> bool {
        let state = self.state();
        state.in_flight.is_empty() && state.last_network_event.is_none_or(|at| at.elapsed() > a_while)
    }

    /// What has been asked for and not answered yet.
    pub fn in_flight(&self) -> Vec<String> {
        self.state().in_flight.values().cloned().collect()
    }

    pub fn console(&self) -> Vec<String> {
        self.state().console.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(value) = ready(&mut state) {
                return Some(value);
            }
            if state.closed || start.elapsed() > PATIENCE {
                return None;
            }
            state = self.0.changed.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
    }

    fn send(&self, session: &str, method: &str, params: Value) -> u64 {
        let mut commands = self.0.commands.lock().unwrap();
        commands.last_id += 1;
        let mut message = json!({ "id": commands.last_id, "method": method, "params": params });
        if !session.is_empty() {
            message["sessionId"] = session.into();
        }
        let mut message = message.to_string().into_bytes();
        message.push(0);
        // A closed pipe shows where the answer is waited for.
        let _ = commands.pipe.write_all(&message);
        commands.last_id
    }

    fn read(&self, events: ChildStdout) {
        let mut events = BufReader::new(events);
        let mut message = Vec::new();
        while events.read_until(0, &mut message).is_ok_and(|length| length > 0) {
            message.pop();
            if let Ok(message) = serde_json::from_slice::<Value>(&message) {
                self.receive(message);
            }
            message.clear();
            self.0.changed.notify_all();
        }
        self.state().closed = true;
        self.0.changed.notify_all();
    }

    fn receive(&self, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            self.state().answers.insert(id, message);
            return;
        }
        let session = text(&message["sessionId"]);
        let params = message["params"].take();
        let method = text(&message["method"]);
        match method.as_str() {
            "Target.attachedToTarget" => self.attached(&params),
            // A service worker that is started anew keeps its session, and waits again.
            "Inspector.targetReloadedAfterCrash" => {
                self.send(&session, "Runtime.runIfWaitingForDebugger", json!({}));
            }
            "Network.requestWillBeSent" => {
                let mut state = self.state();
                let url = text(&params["request"]["url"]);
                state.requests.push(url.clone());
                state.in_flight.insert((session, text(&params["requestId"])), url);
                state.last_network_event = Some(Instant::now());
            }
            "Network.webSocketCreated" | "Network.webTransportCreated" => {
                self.state().requests.push(text(&params["url"]));
            }
            "Network.loadingFinished" | "Network.loadingFailed" => {
                let mut state = self.state();
                state.in_flight.remove(&(session, text(&params["requestId"])));
                state.last_network_event = Some(Instant::now());
            }
            "Target.detachedFromTarget" => {
                let gone = text(&params["sessionId"]);
                let mut state = self.state();
                state.in_flight.retain(|(session, _), _| *session != gone);
                state.workers.retain(|session| *session != gone);
                state.ended.insert(gone);
            }
            "Runtime.consoleAPICalled" => {
                let words = params["args"].as_array().into_iter().flatten();
                let words: Vec<_> =
                    words.map(|arg| text(arg.get("value").unwrap_or(&arg["description"]))).collect();
                self.state().console.push(format!("{}: {}", text(&params["type"]), words.join(" ")));
            }
            "Runtime.exceptionThrown" => {
                let details = &params["exceptionDetails"];
                let what = details["exception"].get("description").unwrap_or(&details["text"]);
                self.state().console.push(format!("uncaught: {}", text(what)));
            }
            _ => {}
        }
    }

    /// A new page or worker waits until its requests are being recorded, and so will its own workers.
    fn attached(&self, params: &Value) {
        let session = text(&params["sessionId"]);
        self.send(&session, "Network.enable", json!({}));
        self.send(&session, "Runtime.enable", json!({}));
        self.send(&session, "Target.setAutoAttach", auto_attach());
        if params["targetInfo"]["type"] == "worker" {
            self.state().workers.push(session.clone());
        }
        self.send(&session, "Runtime.runIfWaitingForDebugger", json!({}));
        // A worker's first script is asked for by its page, and nobody is told when it has come; but now it
        // has.
        let script = text(&params["targetInfo"]["url"]);
        self.state().in_flight.retain(|_, url| *url != script);
    }
}

fn auto_attach() -> Value {
    json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true })
}

/// A string as it is, and anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
