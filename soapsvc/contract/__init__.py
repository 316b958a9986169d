"""The WSDL as document, schema, classes and service; holds a push against them."""

from soapsvc.contract import spyne_import as spyne_import  # whatever module here imports Spyne, this ran before it
