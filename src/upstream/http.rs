//! One HTTP exchange: a filled template out, a body into a file, or a failure that says whether the other side may have
//! given codes.
//!
//! Redirects are not followed: they would carry the secret headers to somebody the configuration does not name.

use super::blanks::Blanks;
use super::supplier::{Failure, Fault};
use crate::vocab::supply::Http;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;
use ureq::http::{Request, Response, header::HeaderValue};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Timeout};

pub fn failure(fault: Fault, what: impl Into<String>) -> Failure {
    Failure { fault, what: what.into(), retry_after_s: None }
}

/// Which request of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg<'a> {
    /// The order itself, with its method and body.
    Order,
    /// A GET of this template.
    Look(&'a str),
}

/// Sends it and streams the answer's body into `to`. `whole`: the body must say its length, because its form does not
/// show where it ends.
pub fn exchange(http: &Http, leg: Leg<'_>, blanks: &Blanks<'_>, whole: bool, to: &mut impl Write) -> Result<(), Failure> {
    let agent = agent(http)?;
    let response = send(&agent, http, leg, blanks)?;
    let response = accepted(response)?;
    receive(response, http, whole, to)
}

fn agent(http: &Http) -> Result<Agent, Failure> {
    let roots = match &http.ca {
        None => RootCerts::WebPki,
        Some(path) => authorities(path)?,
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("packmark/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(http.connect_s.into())))
        .timeout_global(Some(Duration::from_secs(http.timeout_s.into())))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build();
    Ok(config.new_agent())
}

fn authorities(path: &Path) -> Result<RootCerts, Failure> {
    let denied =
        |why: String| failure(Fault::Denied, format!("the certificates of {} cannot be used ({why}): give a PEM file", path.display()));
    let text = std::fs::read(path).map_err(|e| denied(e.to_string()))?;
    let mut all: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(c) = item.map_err(|e| denied(e.to_string()))? {
            all.push(c);
        }
    }
    if all.is_empty() { Err(denied("there is none in it".into())) } else { Ok(RootCerts::new_with_certs(&all)) }
}

fn send(agent: &Agent, http: &Http, leg: Leg<'_>, blanks: &Blanks<'_>) -> Result<Response<Body>, Failure> {
    let (post, url) = match leg {
        Leg::Order => (http.post, http.url.as_str()),
        Leg::Look(url) => (false, url),
    };
    let mut request = Request::builder().method(if post { "POST" } else { "GET" }).uri(blanks.fill(url));
    for (name, value) in &http.headers {
        request = request.header(name, blanks.fill(value));
    }
    for (name, path) in &http.header_files {
        request = request.header(name, secret(name, path)?);
    }
    let unfit = |_| failure(Fault::Denied, "the request cannot be formed: check url and headers of [[supply]]");
    let sent = if post {
        let body = http.body.as_deref().map_or_else(String::new, |b| blanks.fill(b));
        agent.run(request.body(body).map_err(unfit)?)
    } else {
        agent.run(request.body(()).map_err(unfit)?)
    };
    sent.map_err(|e| failed(&e))
}

/// Read anew for every request, so that a secret can be changed while the daemon runs.
fn secret(name: &str, path: &Path) -> Result<HeaderValue, Failure> {
    let denied = |why: &str| failure(Fault::Denied, format!("the file {} of header {name} {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| denied(&format!("cannot be read ({e}): check the path and its rights")))?;
    let mut value = HeaderValue::from_str(text.trim_end_matches(['\r', '\n'])).map_err(|_| denied("holds what no header may hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn accepted(response: Response<Body>) -> Result<Response<Body>, Failure> {
    let status = response.status().as_u16();
    let retry_after_s = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    let (fault, act) = match status {
        200..=299 => return Ok(response),
        300..=399 => (Fault::Denied, "it sends us elsewhere, which is not followed: put the address meant into url"),
        401 | 403 | 407 => (Fault::Denied, "it does not know us: check the credentials (header_files), then packmark supply try"),
        // 409: what the request met was decided by an earlier one.
        408 | 409 => (Fault::Unknown, "it is asked again if it can give the same codes"),
        425 | 429 | 503 => (Fault::NotTaken, "it is busy; asked again later"),
        400..=499 => (Fault::Denied, "it does not understand the request: check url, body and headers, then packmark supply try"),
        _ => (Fault::Unknown, "it failed in itself: ask whoever runs it"),
    };
    Err(Failure { fault, what: format!("the source answered {status}: {act}"), retry_after_s })
}

fn receive(mut response: Response<Body>, http: &Http, whole: bool, to: &mut impl Write) -> Result<(), Failure> {
    let chunked = response.headers().get("transfer-encoding").is_some();
    if whole && !chunked && response.body().content_length().is_none() {
        let what =
            "the answer does not say its length, so a cut one could not be told from a whole one: the source must send Content-Length";
        return Err(failure(Fault::Unfit, what));
    }
    let limit = u64::from(http.max_mb) << 20;
    let too_large = || failure(Fault::Unfit, format!("the answer is larger than {} MB: lower order, or raise max_mb", http.max_mb));
    if response.body().content_length().is_some_and(|n| n > limit) {
        return Err(too_large());
    }
    // One byte more than may be: so that a longer body is told from one that just fits.
    let mut from = response.body_mut().with_config().limit(u64::MAX).reader().take(limit + 1);
    let mut buffer = [0; 64 * 1024];
    let mut had = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                return Err(failure(
                    Fault::Unknown,
                    format!("the answer was cut after {had} bytes ({}): the connection is bad, or the source ended", plain(&e)),
                ));
            }
        };
        had += n as u64;
        if had > limit {
            return Err(too_large());
        }
        to.write_all(&buffer[..n])
            .map_err(|e| failure(Fault::Unknown, format!("the answer could not be written ({e}): check the disk")))?;
    }
}

fn plain(e: &io::Error) -> String {
    if e.kind() == io::ErrorKind::TimedOut || e.to_string().contains("timeout") { "it took too long".into() } else { e.to_string() }
}

/// What went wrong before an answer's head was there. Where nothing can have been sent, nothing can have been given.
fn failed(e: &ureq::Error) -> Failure {
    use io::ErrorKind as K;
    let (fault, what) = match e {
        ureq::Error::HostNotFound => (Fault::NotTaken, "the source's name is not found: check url and the name server".into()),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            (Fault::NotTaken, "the source does not answer the call: check the network".into())
        }
        ureq::Error::ConnectionFailed => (Fault::NotTaken, "the source is not reached: check the network".into()),
        ureq::Error::Tls(why) => (Fault::NotTaken, format!("no safe connection ({why}): check the clock, and ca")),
        ureq::Error::Rustls(why) => (Fault::NotTaken, format!("no safe connection ({why}): check the clock, and ca")),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => (Fault::Denied, "the address cannot be used: check url of [[supply]]".into()),
        ureq::Error::Timeout(_) => (Fault::Unknown, "the source did not answer in time".into()),
        ureq::Error::Io(e) if matches!(e.kind(), K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown) => {
            (Fault::NotTaken, format!("the source is not reached ({e}): is it running?"))
        }
        // The name service has no kind of its own.
        ureq::Error::Io(e) if e.to_string().contains("lookup address") => {
            (Fault::NotTaken, "the source's name is not found: check url and the name server".into())
        }
        // The certificate is looked at before anything is said.
        ureq::Error::Io(e) if e.kind() == K::InvalidData && e.to_string().contains("certificate") => {
            (Fault::NotTaken, format!("no safe connection ({e}): check the clock, and ca"))
        }
        e => (Fault::Unknown, format!("the exchange broke off ({e})")),
    };
    failure(fault, what)
}
