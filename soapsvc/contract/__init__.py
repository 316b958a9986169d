"""The WSDL as schema, classes and service; which element plays which role."""
