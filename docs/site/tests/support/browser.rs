//! A headless Chromium, spoken to in its DevTools protocol: as much of it as the tests need.

use serde_json::{Value, json};
use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// For whatever may hang. Long, for a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// One page of a browser of its own.
pub struct Browser {
    process: Child,
    profile: PathBuf,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    calls: u64,
    loads: usize,
    complaints: Vec<String>,
}

/// A Chromium or a Chrome, from `CHROME` or under one of its names.
fn executable() -> PathBuf {
    if let Some(path) = env::var_os("CHROME").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = names.iter().flat_map(|name| {
        env::split_paths(&path).map(|folder| folder.join(name)).collect::<Vec<_>>()
    });
    let mac = Path::new("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    found.find(|path| path.is_file()).or_else(|| mac.is_file().then(|| mac.to_owned())).expect(
        "no browser: install Chromium (its command is chromium) or Chrome, or set CHROME to the \
         path of one",
    )
}

impl Browser {
    /// Starts one, with a desktop's window.
    pub fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // The same names each time, so that what an interrupted run leaves does not pile up.
        let profile = crate::support::scratch()
            .join(format!("profile-{}-{number}", env!("CARGO_CRATE_NAME")));
        let _ = fs::remove_dir_all(&profile);
        let executable = executable();
        let mut process = Command::new(&executable)
            .args(["--headless", "--no-first-run", "--disable-gpu", "--hide-scrollbars"])
            .args([
                "--disable-background-networking",
                "--disable-sync",
                "--disable-component-update",
            ])
            // It opens our own files only, and in many containers it has no sandbox.
            .args(["--no-sandbox", "--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "the browser {} (from CHROME or PATH) does not start: {error}",
                    executable.display()
                )
            });
        let (port, path) = address(&profile, &mut process, &executable);
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the browser says it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("the time-out is not zero");
        let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream)
            .expect("the browser speaks WebSocket");
        let (session, calls, loads, complaints) = (None, 0, 0, Vec::new());
        let mut browser = Self { process, profile, socket, session, calls, loads, complaints };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.screen(1400, 900);
        browser.system("light");
        browser
    }

    /// Sends a command and waits for its result.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).expect("the browser is there");
        loop {
            let mut answer = self.receive();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// One message; what it tells of trouble is kept.
    fn receive(&mut self) -> Value {
        let message = self.socket.read().expect("the browser answers in time");
        let message = message.into_text().expect("it sends text");
        let message: Value = serde_json::from_str(&message).expect("it sends JSON");
        let params = &message["params"];
        let complaint = match message["method"].as_str() {
            Some("Page.loadEventFired") => {
                self.loads += 1;
                None
            }
            Some("Runtime.exceptionThrown") => Some(&params["exceptionDetails"]),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => Some(&params["args"]),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => Some(&params["entry"]),
            Some("Network.requestWillBeSent") => {
                let url = &params["request"]["url"];
                let local = ["file:", "data:", "about:"];
                let is_local = |url: &str| local.iter().any(|scheme| url.starts_with(scheme));
                (!url.as_str().is_some_and(is_local)).then_some(url)
            }
            _ => None,
        };
        self.complaints.extend(complaint.map(ToString::to_string));
        message
    }

    /// Opens a file of the site, with a query or a fragment perhaps, and waits until it is loaded.
    pub fn open(&mut self, file: &Path, rest: &str) {
        let url = site::file_url(file) + rest;
        self.navigate(|browser| {
            let answer = browser.call("Page.navigate", &json!({ "url": url }));
            assert!(answer["errorText"].is_null(), "{url}: {answer}");
        });
    }

    /// Does what leads to another page, and waits until that is loaded.
    pub fn navigate(&mut self, step: impl FnOnce(&mut Self)) {
        let loads = self.loads;
        step(self);
        while self.loads == loads {
            self.receive();
        }
    }

    /// The value of an expression in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", &params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// A text in the page.
    pub fn text(&mut self, expression: &str) -> String {
        self.eval(expression).as_str().map(str::to_owned).unwrap_or_default()
    }

    /// Waits until an expression in the page is true.
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(&format!("!!({expression})")) != true {
            assert!(Instant::now() < deadline, "never true: {expression}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks on the first element of that kind, as a pointer would: where it can be seen.
    pub fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const r = document.querySelector({selector:?}).getBoundingClientRect();
            return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let (x, y) = (&place[0], &place[1]);
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &params);
        }
    }

    /// Types what one can type on a keyboard, or with an input method.
    pub fn enter(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
        // What an input method has put together ends with a key.
        self.call("Input.dispatchKeyEvent", &json!({ "type": "keyUp", "key": "Shift" }));
    }

    /// The size of the window, in CSS pixels.
    pub fn screen(&mut self, width: u32, height: u32) {
        let mobile = width < 600;
        let scale = if mobile { 2 } else { 1 };
        let params = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile
        });
        self.call("Emulation.setDeviceMetricsOverride", &params);
    }

    /// Presses a key, by its name in JavaScript.
    pub fn press(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            self.call("Input.dispatchKeyEvent", &json!({ "type": kind, "key": key, "text": text }));
        }
    }

    /// Whether the system is `light` or `dark`.
    pub fn system(&mut self, scheme: &str) {
        self.prefer(&[("prefers-color-scheme", scheme)]);
    }

    /// What the reader has set in the system.
    pub fn prefer(&mut self, features: &[(&str, &str)]) {
        let features = features.iter().map(|(name, value)| json!({ "name": name, "value": value }));
        let features: Vec<_> = features.collect();
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Fails if a page has reported an error since the start, or asked for something on a network.
    pub fn assert_content(&mut self) {
        assert!(self.complaints.is_empty(), "{}", self.complaints.join("\n"));
    }
}

/// Where the browser listens; it writes that into its profile.
fn address(profile: &Path, process: &mut Child, executable: &Path) -> (u16, String) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
        if let Some((port, path)) = told.trim().split_once('\n') {
            return (port.parse().expect("the first line is the port"), path.to_owned());
        }
        let name = executable.display();
        if let Ok(Some(status)) = process.try_wait() {
            panic!("the browser {name} (from CHROME or PATH) ended at once: {status}");
        }
        assert!(Instant::now() < deadline, "the browser {name} did not say where it listens");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its own way out, so that its helpers end too. What fails here has been said before.
        let close = json!({ "id": 0, "method": "Browser.close" });
        if self.socket.send(Message::text(close.to_string())).is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
