// Draws the API's description into docs.html.
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // Its badge would be asked of another host.
  validatorUrl: null,
});
