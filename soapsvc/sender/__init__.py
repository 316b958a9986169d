"""Plays the vendor: pushes by the WSDL in force through zeep."""
