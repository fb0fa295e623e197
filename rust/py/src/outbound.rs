//! Ops as tuples `(kind, …)`, each handed to the engine method of the same name.

use hivewire_engine::{Class, ConnId, Engine, FanOut, Granted, NewSession};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyString, PyTuple};

const SEND: u8 = 0;
const EVENT: u8 = 1;
const PUSH: u8 = 2;
const CONNECTED: u8 = 3;
const SYNCING: u8 = 4;
const PAGE: u8 = 5;
const HEARTBEAT: u8 = 6;
const REFRESH: u8 = 7;
const CLOSE: u8 = 8;
const SUBSCRIBE: u8 = 9;
const UNSUBSCRIBE: u8 = 10;
const PUBLISH: u8 = 11;
const NOTIFY: u8 = 12;
const PONG: u8 = 13;
const EVENTS: u8 = 14;
const SUBSCRIBE_USER: u8 = 15;
const UNSUBSCRIBE_USER: u8 = 16;
const VOLATILE: u8 = 17;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let kinds = [
        ("SEND", SEND),
        ("EVENT", EVENT),
        ("PUSH", PUSH),
        ("CONNECTED", CONNECTED),
        ("SYNCING", SYNCING),
        ("PAGE", PAGE),
        ("HEARTBEAT", HEARTBEAT),
        ("REFRESH", REFRESH),
        ("CLOSE", CLOSE),
        ("SUBSCRIBE", SUBSCRIBE),
        ("UNSUBSCRIBE", UNSUBSCRIBE),
        ("PUBLISH", PUBLISH),
        ("NOTIFY", NOTIFY),
        ("PONG", PONG),
        ("EVENTS", EVENTS),
        ("SUBSCRIBE_USER", SUBSCRIBE_USER),
        ("UNSUBSCRIBE_USER", UNSUBSCRIBE_USER),
        ("VOLATILE", VOLATILE),
    ];
    kinds.into_iter().try_for_each(|(name, kind)| module.add(name, kind))
}

/// The fields of one op, read in order.
struct Fields<'a, 'py> {
    op: &'a Bound<'py, PyTuple>,
    at: usize,
}

impl<'py> Fields<'_, 'py> {
    fn next<T>(&mut self) -> PyResult<T>
    where
        T: for<'x> FromPyObject<'x, 'py, Error: Into<PyErr>>,
    {
        let field = self.op.get_borrowed_item(self.at)?;
        self.at += 1;
        field.extract().map_err(Into::into)
    }

    fn conn(&mut self) -> PyResult<ConnId> {
        self.next().map(ConnId::from_number)
    }

    fn granted(&mut self) -> PyResult<Granted> {
        let (interval_ms, timeout_ms) = (self.next()?, self.next()?);
        Ok(Granted { interval_ms, timeout_ms, from_client: self.next()? })
    }

    fn class(&mut self) -> PyResult<Class> {
        Ok(if self.next()? { Class::Volatile } else { Class::Durable })
    }
}

pub(crate) fn queue(engine: &mut Engine, op: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut fields = Fields { op: op.cast::<PyTuple>()?, at: 0 };
    match fields.next::<u8>()? {
        SEND => {
            let (conn, payload) = (fields.conn()?, fields.next::<PyBackedBytes>()?);
            engine.send(conn, &payload);
        }
        EVENT => event(engine, &mut fields)?,
        PUSH => {
            let user: PyBackedStr = fields.next()?;
            let (json, twin): (PyBackedBytes, Option<PyBackedBytes>) =
                (fields.next()?, fields.next()?);
            engine.push(&user, (&json, twin.as_deref()), fields.class()?);
        }
        CONNECTED => connected(engine, &mut fields)?,
        SYNCING => {
            let (conn, user) = (fields.conn()?, fields.next::<PyBackedStr>()?);
            engine.syncing(conn, &user);
        }
        PAGE => {
            let (conn, user) = (fields.conn()?, fields.next::<PyBackedStr>()?);
            let payload: PyBackedBytes = fields.next()?;
            engine.page(conn, &user, &payload, fields.next()?, fields.next()?);
        }
        HEARTBEAT => {
            let (conn, payload) = (fields.conn()?, fields.next::<PyBackedBytes>()?);
            engine.heartbeat(conn, &payload, fields.granted()?);
        }
        REFRESH => {
            let (conn, payload) = (fields.conn()?, fields.next::<PyBackedBytes>()?);
            engine.refresh(conn, &payload, fields.next()?);
        }
        CLOSE => {
            let (conn, code) = (fields.conn()?, fields.next()?);
            engine.close(conn, code, &fields.next::<PyBackedStr>()?, fields.next()?);
        }
        SUBSCRIBE => {
            let conn = fields.conn()?;
            engine.subscribe(conn, &fields.next::<PyBackedStr>()?);
        }
        UNSUBSCRIBE => {
            let conn = fields.conn()?;
            engine.unsubscribe(conn, &fields.next::<PyBackedStr>()?);
        }
        PUBLISH => {
            let topic: PyBackedStr = fields.next()?;
            let (json, twin): (PyBackedBytes, Option<PyBackedBytes>) =
                (fields.next()?, fields.next()?);
            engine.publish(&topic, (&json, twin.as_deref()), fields.class()?);
        }
        NOTIFY => engine.notify(fields.conn()?),
        PONG => {
            let conn = fields.conn()?;
            engine.pong(conn, fields.next()?);
        }
        EVENTS => events(engine, &mut fields)?,
        SUBSCRIBE_USER => {
            let user: PyBackedStr = fields.next()?;
            engine.subscribe_user(&user, &fields.next::<PyBackedStr>()?);
        }
        UNSUBSCRIBE_USER => {
            let user: PyBackedStr = fields.next()?;
            engine.unsubscribe_user(&user, &fields.next::<PyBackedStr>()?);
        }
        VOLATILE => {
            let (conn, payload) = (fields.conn()?, fields.next::<PyBackedBytes>()?);
            engine.send_volatile(conn, &payload);
        }
        kind => return Err(PyValueError::new_err(format!("no such op: {kind}"))),
    }
    Ok(())
}

fn event(engine: &mut Engine, fields: &mut Fields<'_, '_>) -> PyResult<()> {
    let (user, seq) = (fields.next::<PyBackedStr>()?, fields.next()?);
    let (json, twin): (PyBackedBytes, Option<PyBackedBytes>) = (fields.next()?, fields.next()?);
    let (origin, answer): (u64, Option<PyBackedBytes>) = (fields.next()?, fields.next()?);
    let origin = answer.as_deref().map(|answer| (ConnId::from_number(origin), answer));
    engine.event(&user, seq, (&json, twin.as_deref()), origin);
    Ok(())
}

/// A recipient that cannot be read is passed over, so that it harms nobody else; the first error
/// is returned when all others have been served.
fn events(engine: &mut Engine, fields: &mut Fields<'_, '_>) -> PyResult<()> {
    let members: Bound<'_, PyTuple> = fields.next()?;
    let (json, twin): (PyBackedBytes, Option<PyBackedBytes>) = (fields.next()?, fields.next()?);
    let (origin, answer): (u64, Option<PyBackedBytes>) = (fields.next()?, fields.next()?);
    let origin = answer.as_deref().map(|answer| (ConnId::from_number(origin), answer));
    let mut event = engine.fan_out((&json, twin.as_deref()), origin);
    let mut served = Ok(());
    for member in members.iter_borrowed() {
        served = served.and(push_event(&mut event, &member));
    }
    event.end();
    served
}

/// The user's id is borrowed from its Python string: nothing is copied for a recipient.
fn push_event(event: &mut FanOut<'_, '_>, member: &Bound<'_, PyAny>) -> PyResult<()> {
    let member = member.cast::<PyTuple>()?;
    let seq: u64 = member.get_borrowed_item(1)?.extract()?;
    event.to(member.get_borrowed_item(0)?.cast::<PyString>()?.to_str()?, seq);
    Ok(())
}

fn connected(engine: &mut Engine, fields: &mut Fields<'_, '_>) -> PyResult<()> {
    let (conn, payload) = (fields.conn()?, fields.next::<PyBackedBytes>()?);
    let (user, device) = (fields.next::<PyBackedStr>()?, fields.next::<PyBackedStr>()?);
    let session = NewSession {
        user: &user,
        device: &device,
        position: fields.next()?,
        live: fields.next()?,
        expires_s: fields.next()?,
        heartbeat: fields.granted()?,
    };
    engine.connected(conn, &session, &payload);
    Ok(())
}
