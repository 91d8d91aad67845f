// 1. Create product
const product = await fetch('/api/v1/providers/products', {
method: 'POST',
headers: {
'Authorization': 'Bearer your_public_key_here',
'Content-Type': 'application/json'
},
body: JSON.stringify({
title: 'Premium Content',
content_url: 'https://yoursite.com/premium/content-123',
price: '5000000000000000000', // 5 ETH in wei
type: 'article'
})
});
// 2. Monitor analytics
const analytics = await fetch('/api/v1/providers/analytics/dashboard?days=30', {
headers: { 'Authorization': 'Bearer v402_your_api_key' }
});
// 3. Check unpaid requests
const unpaidRequests = await fetch('/api/v1/providers/unpaid-requests?hours=24', {
headers: { 'Authorization': 'Bearer v402_your_api_key' }
});
