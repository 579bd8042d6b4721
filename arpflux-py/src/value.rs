//! Python values out of whatever serde can write, and back.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arpflux_core::{Error, ErrorKind, json};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{PyError, Result};

fn internal(error: &serde_json::Error) -> PyError {
    Error::new(ErrorKind::Internal, error.to_string()).during("convert value").into()
}

/// `value` as dict, list, str, int, float, bool and None: what `json.loads` would give.
pub fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> Result<Bound<'py, PyAny>> {
    let value = serde_json::to_value(value).map_err(|error| internal(&error))?;
    Ok(convert(py, &value)?)
}

fn convert<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(value) => value.into_bound_py_any(py),
        Value::Number(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => value.into_bound_py_any(py),
            (None, Some(value)) => value.into_bound_py_any(py),
            _ => value.as_f64().into_bound_py_any(py),
        },
        Value::String(value) => value.into_bound_py_any(py),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(convert(py, value)?)?;
            }
            Ok(list.into_any())
        }
        Value::Object(values) => {
            let dict = PyDict::new(py);
            for (key, value) in values {
                dict.set_item(key, convert(py, value)?)?;
            }
            Ok(dict.into_any())
        }
    }
}

/// An instance of the value class `name` of the package, made from what serde writes.
pub fn typed<'py>(py: Python<'py>, name: &str, value: &impl Serialize) -> Result<Bound<'py, PyAny>> {
    let class = py.import("arpflux")?.getattr(name)?;
    Ok(class.call_method1("from_dict", (to_python(py, value)?,))?)
}

/// A tuple of such instances.
pub fn typed_all<'py, T: Serialize>(
    py: Python<'py>,
    name: &str,
    values: &[T],
) -> Result<Bound<'py, PyTuple>> {
    let make = py.import("arpflux")?.getattr(name)?.getattr("from_dict")?;
    let made: Result<Vec<_>> = values.iter().map(|value| Ok(make.call1((to_python(py, value)?,))?)).collect();
    Ok(PyTuple::new(py, made?)?)
}

/// A member of the enum `name` of the package, by its value.
pub fn member<'py>(py: Python<'py>, name: &str, value: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("arpflux")?.getattr(name)?.call1((value,))
}

/// The same of a value that serde writes as a name; where it has a number instead (`{"other": 9}`), that.
pub fn member_or_number<'py>(
    py: Python<'py>,
    name: &str,
    value: &impl Serialize,
) -> Result<Bound<'py, PyAny>> {
    match serde_json::to_value(value).map_err(|error| internal(&error))? {
        Value::String(value) => Ok(member(py, name, &value)?),
        Value::Object(other) => {
            let number = other.values().next().and_then(Value::as_u64).unwrap_or_default();
            Ok(number.into_bound_py_any(py)?)
        }
        other => Ok(convert(py, &other)?),
    }
}

/// The one-line JSON of a value: what its hash and its pickle are made of.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    Ok(json::line(value)?)
}

/// The value that a JSON text holds.
pub fn parse<'py>(py: Python<'py>, text: &str) -> Result<Bound<'py, PyAny>> {
    let value: Value = serde_json::from_str(text).map_err(|error| internal(&error))?;
    Ok(convert(py, &value)?)
}

/// A Python value as JSON text; addresses and paths in it are written as what they look like.
pub fn dumps(object: &Bound<'_, PyAny>) -> Result<String> {
    let py = object.py();
    let options = PyDict::new(py);
    options.set_item("default", py.get_type::<PyString>())?;
    options.set_item("indent", 1)?;
    Ok(py.import("json")?.call_method("dumps", (object,), Some(&options))?.extract()?)
}

/// The value that a dict as `to_dict()` gives it stands for.
pub fn from_dict<T: DeserializeOwned>(class: &str, values: &Bound<'_, PyDict>) -> Result<T> {
    from_json(class, &dumps(values.as_any())?)
}

/// The same from its JSON text. Keys that nothing reads are refused: they are typing errors, nobody else wrote them.
pub fn from_json<T: DeserializeOwned>(class: &str, text: &str) -> Result<T> {
    let invalid =
        |message: String| Error::new(ErrorKind::InvalidData, message).during("read").on(class.to_owned());
    let mut unknown = None;
    let mut tell = |key: serde_ignored::Path<'_>| unknown = unknown.take().or_else(|| Some(key.to_string()));
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(serde_ignored::Deserializer::new(&mut reader, &mut tell))
        .map_err(|error| invalid(error.to_string()))?;
    match unknown {
        Some(key) => Err(invalid(format!("unknown field `{key}`")).into()),
        None => Ok(value),
    }
}

/// Names the file that a text came from, if the error names nothing.
pub fn sourced<T>(read: arpflux_core::Result<T>, source: Option<String>) -> Result<T> {
    Ok(read.map_err(|error| match source {
        Some(source) if error.object().is_empty() => error.on(source),
        _ => error,
    })?)
}

/// The hash of a value's JSON form.
pub fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
