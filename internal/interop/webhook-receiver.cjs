// Receives webhooks as the documentation shows it, unchanged, on a free port.
// Prints {"url":…} when it listens, and what the handler prints to stderr.
console.log = (...args) => console.error(...args);

const express = require('express');
const crypto = require('crypto');
const app = express();
// Webhook endpoint
app.post('/webhooks/v402', express.raw({type: 'application/json'}), (req, res) => {
const payload = req.body;
const signature = req.headers['x-v402-signature'];
const secret = 'your_webhook_secret';
// Verify webhook signature
const expectedSignature = crypto
.createHmac('sha256', secret)
.update(payload)
.digest('hex');
if (signature !== `sha256=${expectedSignature}`) {
return res.status(401).send('Invalid signature');
}
const event = JSON.parse(payload);
// Handle different event types
switch (event.type) {
case 'payment.confirmed':
console.log('Payment confirmed:', event.data);
// Grant access to content
break;
case 'payment.failed':
console.log('Payment failed:', event.data);
// Handle failed payment
break;
case 'product.viewed':
console.log('Product viewed:', event.data);
// Track analytics
break;
}
res.status(200).send('OK');
});

import('./lifeline.mjs').then(({ endWithParent, tell }) => {
  const listener = app.listen(0, '127.0.0.1', () => tell({ url: `http://127.0.0.1:${listener.address().port}` }));
  endWithParent(() => listener.closeAllConnections());
});
