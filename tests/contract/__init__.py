"""Tests of the contract. Some import Spyne, so its shim comes first."""

from soapsvc.contract import spyne_import as spyne_import
